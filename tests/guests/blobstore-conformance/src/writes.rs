//! Writing and deleting: replacement, metadata, conditions.

use tempo_sdk_blobstore::{ErrorKind, PutOptions};

use crate::scope::{Outcome, Scope, fails, holds, same};

/// A missing object is reported as missing, and deleting it succeeds.
pub(crate) async fn missing(on: Scope) -> Outcome {
    let name = on.name("n");
    on.is_gone(&name).await?;
    on.container.delete(name.as_str()).await?;
    on.is_gone(&name).await
}

/// A write replaces an existing object completely.
pub(crate) async fn overwrite(on: Scope) -> Outcome {
    let name = on.name("n");
    let options = PutOptions::new().content_type("text/plain").metadata("k", "v");
    let first = on.container.put_with(name.as_str(), vec![b'1'; 100_000], options).await?;
    let second = on.container.put(name.as_str(), "2").await?;
    same("what is there", on.read(&name).await?, b"2")?;
    same("size", second.size, 1)?;
    same("content type", second.content_type.as_deref(), None)?;
    same("metadata", second.metadata.len(), 0)?;
    holds("the etag changes", first.etag != second.etag)?;
    same("stat", on.container.stat(name.as_str()).await?.as_ref(), Some(&second))?;
    holds("the etag is not empty", !second.etag.is_empty())?;
    same("list", on.all("").await?, ["n"])?;
    on.clean().await
}

pub(crate) async fn delete(on: Scope) -> Outcome {
    let [one, other] = ["one", "other"].map(|name| on.name(name));
    on.container.put(one.as_str(), "1").await?;
    on.container.put(other.as_str(), "2").await?;
    for _ in 0..2 {
        on.container.delete(one.as_str()).await?;
        on.is_gone(&one).await?;
    }
    same("the other one", on.read(&other).await?, b"2")?;
    on.container.put(one.as_str(), "3").await?;
    same("written again", on.read(&one).await?, b"3")?;
    on.clean().await
}

/// Every operation returns the metadata that the writer set.
pub(crate) async fn metadata(on: Scope) -> Outcome {
    let name = on.name("n");
    let options =
        PutOptions::new().content_type("image/svg+xml; a=\"b c\"").metadata("z_9", "~ !").metadata("a", "A=b;c");
    let info = on.container.put_with(name.as_str(), "value", options).await?;
    same("name", info.name.as_str(), name.as_str())?;
    same("size", info.size, 5)?;
    // After 2020 and before 2200: the time is in seconds.
    holds("created is a time", (1_577_836_800..7_258_118_400).contains(&info.created))?;
    same("content type", info.content_type.as_deref(), Some("image/svg+xml; a=\"b c\""))?;
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    same("metadata", &info.metadata, &vec![pair("a", "A=b;c"), pair("z_9", "~ !")])?;
    same("one of it", info.metadata("z_9"), Some("~ !"))?;
    same("stat", on.container.stat(name.as_str()).await?.as_ref(), Some(&info))?;
    same("get", on.container.get(name.as_str()).await?.info, info)?;
    on.clean().await
}

/// The largest allowed metadata.
pub(crate) async fn metadata_edges(on: Scope) -> Outcome {
    let name = on.name("n");
    let most = [
        PutOptions::new().metadata("k", "v".repeat(2047)),
        PutOptions::new().metadata("k".repeat(64), "v".repeat(1984)),
        (0..64).fold(PutOptions::new(), |options, number| options.metadata(format!("k{number:02}"), "v".repeat(29))),
    ];
    for options in most {
        let info = on.container.put_with(name.as_str(), "", options).await?;
        let size = info.metadata.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
        same("metadata that is kept", size, 2048)?;
        same("stat", on.container.stat(name.as_str()).await?, Some(info))?;
    }
    on.clean().await
}

/// Invalid metadata is rejected, and then nothing is written.
pub(crate) async fn bad_metadata(on: Scope) -> Outcome {
    let name = on.name("n");
    let pairs = [
        ("K", "v"),
        ("", "v"),
        ("1a", "v"),
        ("_a", "v"),
        ("a-b", "v"),
        ("\u{e4}", "v"),
        ("k", " v"),
        ("k", "v "),
        ("k", "a\nb"),
        ("k", "a\0b"),
        ("k", "\u{e4}"),
    ];
    let mut all: Vec<PutOptions> = pairs.iter().map(|(key, value)| PutOptions::new().metadata(*key, *value)).collect();
    all.push(PutOptions::new().metadata("k".repeat(65), "v"));
    all.push(PutOptions::new().metadata("k", "v".repeat(2048)));
    all.push(PutOptions::new().metadata("a", "v".repeat(1024)).metadata("b", "v".repeat(1023)));
    all.push(PutOptions::new().content_type("text/plain\r\nx-injected: 1"));
    all.push(PutOptions::new().content_type(""));
    for options in all {
        let what = format!("put with {options:?}");
        fails(&what, on.container.put_with(name.as_str(), "value", options).await, ErrorKind::InvalidArgument)?;
    }
    on.is_gone(&name).await
}

/// A conditional write never replaces an object and reports the conflict, also if the object was created during the
/// upload.
pub(crate) async fn if_absent(on: Scope) -> Outcome {
    let name = on.name("n");
    let options = || PutOptions::new().if_absent();
    on.container.put_with(name.as_str(), "first", options()).await?;
    let second = on.container.put_with(name.as_str(), "second", options()).await;
    fails("put over an object", second, ErrorKind::AlreadyExists)?;
    same("what is there", on.read(&name).await?, b"first")?;
    on.container.delete(name.as_str()).await?;

    let mut slow = on.container.writer(name.as_str(), options());
    slow.write("slow").await?;
    on.container.put_with(name.as_str(), "quick", options()).await?;
    let slow = async {
        slow.write("er").await?;
        slow.finish().await
    };
    fails("finish after another one", slow.await, ErrorKind::AlreadyExists)?;
    same("what is there", on.read(&name).await?, b"quick")?;
    on.clean().await
}
