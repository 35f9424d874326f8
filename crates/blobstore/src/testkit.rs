//! The suite that every backend must pass.
//!
//! Call [`run`] from a test with an empty container. It writes some 30 MiB, and leaves nothing behind if it passes.
//!
//! With the feature `model`, `model::run` besides drives random operations on containers and on a model of them.

pub mod model;

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::future::join_all;
use futures::{FutureExt as _, TryStreamExt as _, future::BoxFuture};

use crate::{ByteRange, Container, Data, Entry, ErrorKind, ObjectInfo, PutOptions};

/// Names that are hard to keep, in the order of their bytes.
pub const NAMES: &[&str] = &[
    "\0",
    "\0\u{1}",
    "\n",
    " ",
    " leading",
    "!",
    "!\"#$%&'()*+,;<=>?@[\\]^`{|}~",
    "%2F",
    ".",
    "..",
    "../../etc/passwd",
    "./a",
    "/",
    "//",
    "/a",
    "A",
    "CON",
    "a",
    "a\0b",
    "a b",
    "a.",
    "a/",
    "a/\0",
    "a/ ",
    "a/.",
    "a/..",
    "a/../b",
    "a//",
    "a//b",
    "a/b",
    "a/b/",
    "a0",
    "trailing ",
    "~",
    "~~",
    "\u{7f}",
    "\u{80}",
    "ä",
    "ключ",
    "\u{fffd}",
    "\u{ffff}",
    "🔑",
];

/// Asks an empty `container` everything that a backend promises.
///
/// # Errors
///
/// The first answer that is not what [`Container`] promises.
pub async fn run(container: Arc<dyn Container>) -> Result<()> {
    let container = &*container;
    let checks: [(&str, BoxFuture<'_, Result<()>>); 10] = [
        ("objects", objects(container).boxed()),
        ("ranges", ranges(container).boxed()),
        ("large objects", large(container).boxed()),
        ("options", options(container).boxed()),
        ("uploads given up", given_up(container).boxed()),
        ("if absent", if_absent(container).boxed()),
        ("names", names(container).boxed()),
        ("long names", long_names(container).boxed()),
        ("copies", copies(container).boxed()),
        ("readers", readers(container).boxed()),
    ];
    for (check, result) in checks {
        result.await.with_context(|| check.to_owned())?;
        let left = container.list("", None, 1).await?;
        ensure!(left.is_empty(), "{check}: an object is left after all were deleted");
    }
    Ok(())
}

async fn objects(container: &dyn Container) -> Result<()> {
    ensure!(container.stat("n").await?.is_none(), "an object is there before it was written");
    ensure!(kind(container.get("n", None).await) == Some(ErrorKind::NoSuchObject), "get of what is not there");
    container.delete("n").await.context("delete of what is not there")?;

    let first = put(container, "n", b"first", PutOptions::default()).await?;
    ensure!(first.name == "n" && first.size == 5 && !first.etag.is_empty(), "complete told something else");
    ensure!(first.created > 1_500_000_000, "the time of writing is long ago");
    ensure!(container.stat("n").await?.as_ref() == Some(&first), "stat and complete disagree");
    let (info, data) = read(container, "n", None).await?;
    ensure!(info == first && data == b"first", "get gave something else");

    let second = put(container, "n", b"the second", PutOptions::default()).await?;
    ensure!(second.etag != first.etag, "another object has the etag of the one it replaced");
    ensure!(read(container, "n", None).await?.1 == b"the second", "an object was not replaced");
    let listed = container.list("", None, 10).await?;
    ensure!(listed == [entry(&second)], "the listing shows something else");

    put(container, "n", b"", PutOptions::default()).await.context("an empty object")?;
    ensure!(read(container, "n", None).await?.1.is_empty(), "an empty object is not empty");
    container.delete("n").await?;
    ensure!(container.stat("n").await?.is_none(), "a deleted object is there");
    Ok(())
}

async fn ranges(container: &dyn Container) -> Result<()> {
    put(container, "n", b"0123456789", PutOptions::default()).await?;
    let cases: &[(u64, Option<u64>, &[u8])] = &[
        (0, None, b"0123456789"),
        (0, Some(10), b"0123456789"),
        (0, Some(11), b"0123456789"),
        (0, Some(1), b"0"),
        (0, Some(0), b""),
        (3, Some(4), b"3456"),
        (3, None, b"3456789"),
        (9, Some(1), b"9"),
        (9, None, b"9"),
        (10, None, b""),
        (10, Some(1), b""),
        (11, None, b""),
        (1, Some(u64::MAX), b"123456789"),
        (u64::MAX, None, b""),
        (u64::MAX, Some(u64::MAX), b""),
    ];
    for (offset, length, expected) in cases {
        let range = ByteRange { offset: *offset, length: *length };
        let (info, data) = read(container, "n", Some(range)).await.with_context(|| format!("{range:?}"))?;
        ensure!(data == *expected, "{range:?} gave {data:?}");
        ensure!(info.size == 10, "{range:?}: the size is not that of the whole object");
    }
    let range = Some(ByteRange { offset: 20, length: None });
    ensure!(kind(container.get("absent", range).await) == Some(ErrorKind::NoSuchObject), "a range of nothing");
    put(container, "n", b"", PutOptions::default()).await?;
    let range = Some(ByteRange { offset: 0, length: Some(1) });
    ensure!(read(container, "n", range).await?.1.is_empty(), "a range of an empty object");
    container.delete("n").await?;
    Ok(())
}

async fn large(container: &dyn Container) -> Result<()> {
    const SIZE: usize = 12_345_678;
    let data: Vec<u8> = (0..SIZE).map(|index| (index.wrapping_mul(2_654_435_761) >> 7) as u8).collect();
    let mut upload = container.put("n", PutOptions::default()).await?;
    for piece in data.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(piece)).await?;
        ensure!(container.stat("n").await?.is_none(), "an object is seen before it is complete");
    }
    let info = upload.complete().await?;
    ensure!(info.size == SIZE as u64, "a large object has another size");
    ensure!(container.stat("n").await?.as_ref() == Some(&info), "stat and complete disagree");
    ensure!(read(container, "n", None).await?.1 == data, "a large object has other bytes");
    let range = ByteRange { offset: 5_000_000, length: Some(5_000_000) };
    let expected = data.get(5_000_000..10_000_000);
    ensure!(Some(read(container, "n", Some(range)).await?.1.as_slice()) == expected, "a range has other bytes");
    container.delete("n").await?;
    Ok(())
}

async fn options(container: &dyn Container) -> Result<()> {
    let pairs = [("a", "1"), ("author", "Ada Lovelace"), ("x_2", "a=b; \"c\" 100%")];
    let noted = PutOptions {
        if_absent: false,
        content_type: Some("text/plain; charset=utf-8".to_owned()),
        metadata: pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
    };
    for (size, if_absent) in [(3, false), (6 << 20, false), (3, true), (6 << 20, true)] {
        if if_absent {
            container.delete("n").await?;
        }
        let noted = PutOptions { if_absent, ..noted.clone() };
        let written = put(container, "n", &vec![1; size], noted.clone()).await?;
        let (read, _) = read(container, "n", None).await?;
        for info in [Some(written), container.stat("n").await?, Some(read)].into_iter().flatten() {
            ensure!(info.content_type == noted.content_type, "the content type became {:?}", info.content_type);
            ensure!(info.metadata == noted.metadata, "the metadata became {:?}", info.metadata);
        }
    }
    let plain = put(container, "n", b"", PutOptions::default()).await?;
    ensure!(plain.content_type.is_none() && plain.metadata.is_empty(), "an object inherited options");
    ensure!(container.stat("n").await? == Some(plain), "stat shows options of a replaced object");
    container.delete("n").await?;
    Ok(())
}

async fn given_up(container: &dyn Container) -> Result<()> {
    for size in [0, 10, 6 << 20] {
        let mut upload = container.put("n", PutOptions::default()).await?;
        upload.write(vec![1; size].into()).await?;
        drop(upload);
        ensure!(container.stat("n").await?.is_none(), "an upload that was dropped left an object");
    }
    let kept = put(container, "n", b"kept", PutOptions::default()).await?;
    let mut upload = container.put("n", PutOptions::default()).await?;
    upload.write(Bytes::from_static(b"lost")).await?;
    drop(upload);
    ensure!(container.stat("n").await? == Some(kept), "an upload that was dropped changed an object");
    ensure!(read(container, "n", None).await?.1 == b"kept", "an upload that was dropped changed bytes");
    container.delete("n").await?;
    Ok(())
}

async fn if_absent(container: &dyn Container) -> Result<()> {
    let absent = || PutOptions { if_absent: true, ..PutOptions::default() };
    put(container, "n", b"first", absent()).await?;
    let second = put(container, "n", b"second", absent()).await;
    let refused = second.err().and_then(|error| error.downcast_ref().map(crate::Error::kind));
    ensure!(refused == Some(ErrorKind::AlreadyExists), "a second object was written");
    ensure!(read(container, "n", None).await?.1 == b"first", "a refused upload changed an object");
    container.delete("n").await?;

    // All begin while there is no object; one of them wins.
    for size in [10, 6 << 20] {
        let mut uploads = Vec::new();
        for writer in 0..8u8 {
            let mut upload = container.put("n", absent()).await?;
            upload.write(vec![writer; size].into()).await?;
            uploads.push(upload);
        }
        let results = join_all(uploads.into_iter().map(|upload| upload.complete())).await;
        let winners: Vec<usize> = (0..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(at, _)| at).collect();
        ensure!(winners.len() == 1, "{} of 8 uploads were the first", winners.len());
        let lost = results.into_iter().filter_map(Result::err).all(|error| error.kind() == ErrorKind::AlreadyExists);
        ensure!(lost, "an upload lost for another reason");
        let (_, data) = read(container, "n", None).await?;
        let whole = data.len() == size && data.iter().all(|byte| winners.contains(&usize::from(*byte)));
        ensure!(whole, "the object is not that of the winner");
        container.delete("n").await?;
    }
    Ok(())
}

async fn names(container: &dyn Container) -> Result<()> {
    let mut infos = Vec::new();
    // Not in their order, so that the order is the backend's work.
    for name in NAMES.iter().rev() {
        infos.push(
            put(container, name, name.as_bytes(), PutOptions::default()).await.with_context(|| format!("{name:?}"))?,
        );
    }
    infos.reverse();
    for (name, info) in NAMES.iter().zip(&infos) {
        let (found, data) = read(container, name, None).await.with_context(|| format!("{name:?}"))?;
        ensure!(found == *info && found.name == *name && data == name.as_bytes(), "{name:?} became another object");
    }
    let all: Vec<Entry> = infos.iter().map(entry).collect();
    for limit in [1, 7, NAMES.len(), 1000] {
        ensure!(list(container, "", limit).await? == all, "the listing in pages of {limit} is another");
    }
    for prefix in ["a", "a/", "a//", ".", "..", "/", "\0", " ", "!", "~", "ä", "a/.", "zz", "a\0"] {
        let expected: Vec<Entry> = all.iter().filter(|entry| entry.name.starts_with(prefix)).cloned().collect();
        for limit in [1, 3, 1000] {
            ensure!(list(container, prefix, limit).await? == expected, "the listing of {prefix:?} is another");
        }
    }
    for after in ["", "a", "a/", "a/c", "b", "zz", "🔑", "🔒"] {
        let expected: Vec<Entry> = all.iter().filter(|entry| entry.name.as_str() > after).cloned().collect();
        ensure!(container.list("", Some(after), 1000).await? == expected, "the listing after {after:?} is another");
    }
    ensure!(container.list("b", Some("a"), 10).await?.is_empty(), "a listing shows what lacks the prefix");
    for name in NAMES {
        container.delete(name).await.with_context(|| format!("{name:?}"))?;
        ensure!(container.stat(name).await?.is_none(), "{name:?} was not deleted");
    }
    Ok(())
}

async fn long_names(container: &dyn Container) -> Result<()> {
    // The longest that are allowed, alike up to their last character.
    let mut names = Vec::new();
    for unit in ["n", "A", "/", "ü", "\0", "."] {
        for end in ["a", "b"] {
            let mut name = unit.repeat(1023 / unit.len());
            name.push_str(end);
            names.push(name);
        }
    }
    names.sort();
    let mut kept = Vec::new();
    for name in &names {
        match put(container, name, name.as_bytes(), PutOptions::default()).await {
            Ok(_) => kept.push(name.clone()),
            // A server may not hold what becomes longer when it is written in its alphabet, and must say so.
            Err(error) => {
                let kind = error.downcast_ref().map(crate::Error::kind);
                ensure!(kind == Some(ErrorKind::InvalidArgument), "{error:#}");
                ensure!(!name.starts_with('n'), "a name of 1,024 plain characters is too long");
            }
        }
    }
    let listed: Vec<String> = list(container, "", 5).await?.into_iter().map(|entry| entry.name).collect();
    ensure!(listed == kept, "long names are listed otherwise");
    for name in &kept {
        ensure!(read(container, name, None).await?.1 == name.as_bytes(), "a long name became another object");
        container.delete(name).await?;
    }
    Ok(())
}

async fn copies(container: &dyn Container) -> Result<()> {
    ensure!(kind(container.copy("n", "m").await) == Some(ErrorKind::NoSuchObject), "a copy of what is not there");
    let noted = PutOptions {
        if_absent: false,
        content_type: Some("image/png".to_owned()),
        metadata: vec![("k".to_owned(), "v".to_owned())],
    };
    put(container, "n", b"data", noted.clone()).await?;
    put(container, "m/..", b"replaced", PutOptions::default()).await?;
    let copy = container.copy("n", "m/..").await?;
    ensure!(copy.name == "m/.." && copy.size == 4, "copy told something else");
    let (info, data) = read(container, "m/..", None).await?;
    ensure!(info == copy && data == b"data", "a copy has other bytes");
    ensure!(info.content_type == noted.content_type && info.metadata == noted.metadata, "a copy has other metadata");
    container.delete("n").await?;
    ensure!(read(container, "m/..", None).await?.1 == b"data", "a copy went with its original");
    let same = container.copy("m/..", "m/..").await?;
    ensure!(same.size == 4 && read(container, "m/..", None).await?.1 == b"data", "a copy onto itself");
    container.delete("m/..").await?;
    Ok(())
}

/// A reader that has begun sees the object that it opened, or an error: never another, never a short one.
async fn readers(container: &dyn Container) -> Result<()> {
    const SIZE: usize = 3 << 20;
    for replaced in [true, false] {
        put(container, "n", &vec![1; SIZE], PutOptions::default()).await?;
        let (_, mut data) = container.get("n", None).await?;
        let first = data.try_next().await?.unwrap_or_default();
        if replaced {
            put(container, "n", &vec![2; SIZE], PutOptions::default()).await?;
        }
        container.delete("n").await?;
        if let Ok(rest) = collect(data).await {
            let whole = first.len().saturating_add(rest.len()) == SIZE;
            ensure!(
                whole && first.iter().chain(&rest).all(|byte| *byte == 1),
                "a reader saw two objects, or half of one"
            );
        }
    }
    Ok(())
}

async fn put(container: &dyn Container, name: &str, data: &[u8], options: PutOptions) -> Result<ObjectInfo> {
    let mut upload = container.put(name, options).await?;
    if !data.is_empty() {
        upload.write(Bytes::copy_from_slice(data)).await?;
    }
    Ok(upload.complete().await?)
}

async fn read(container: &dyn Container, name: &str, range: Option<ByteRange>) -> Result<(ObjectInfo, Vec<u8>)> {
    let (info, data) = container.get(name, range).await?;
    Ok((info, collect(data).await?))
}

async fn collect(data: Data) -> crate::Result<Vec<u8>> {
    data.try_fold(Vec::new(), |mut bytes, chunk| async move {
        bytes.extend_from_slice(&chunk);
        Ok(bytes)
    })
    .await
}

/// The whole listing, in pages of `limit`.
async fn list(container: &dyn Container, prefix: &str, limit: usize) -> Result<Vec<Entry>> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map(|entry| entry.name.clone());
        let page = container.list(prefix, after.as_deref(), limit).await?;
        let more = page.len() == limit;
        ensure!(page.len() <= limit, "a page is longer than its limit");
        all.extend(page);
        if !more {
            return Ok(all);
        }
    }
}

fn entry(info: &ObjectInfo) -> Entry {
    Entry { name: info.name.clone(), size: info.size, created: info.created, etag: info.etag.clone() }
}

fn kind<T>(result: crate::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}
