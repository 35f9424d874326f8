//! Objects: bytes, ranges, options and copies.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::TryStreamExt as _;

use super::{collect, entry, kind, put, read};
use crate::{ByteRange, Container, ErrorKind, PutOptions};

pub(super) async fn objects_are_written_read_and_deleted(container: &Arc<dyn Container>) -> Result<()> {
    ensure!(container.stat("n").await?.is_none(), "an object is there before it was written");
    ensure!(kind(container.get("n", None).await) == Some(ErrorKind::NoSuchObject), "get of what is not there");
    container.delete("n").await.context("delete of what is not there")?;

    let first = put(container, "n", b"first", PutOptions::default()).await?;
    ensure!(first.name == "n" && first.size == 5 && !first.etag.is_empty(), "complete returned other properties");
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

pub(super) async fn ranges_are_read(container: &Arc<dyn Container>) -> Result<()> {
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

pub(super) async fn large_objects_are_whole(container: &Arc<dyn Container>) -> Result<()> {
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

pub(super) async fn options_are_kept(container: &Arc<dyn Container>) -> Result<()> {
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

pub(super) async fn copies_are_independent(container: &Arc<dyn Container>) -> Result<()> {
    ensure!(kind(container.copy("n", "m").await) == Some(ErrorKind::NoSuchObject), "a copy of what is not there");
    let noted = PutOptions {
        if_absent: false,
        content_type: Some("image/png".to_owned()),
        metadata: vec![("k".to_owned(), "v".to_owned())],
    };
    put(container, "n", b"data", noted.clone()).await?;
    put(container, "m/..", b"replaced", PutOptions::default()).await?;
    let copy = container.copy("n", "m/..").await?;
    ensure!(copy.name == "m/.." && copy.size == 4, "copy returned other properties");
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
pub(super) async fn readers_see_one_object(container: &Arc<dyn Container>) -> Result<()> {
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
