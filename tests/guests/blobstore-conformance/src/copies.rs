//! Copies: complete, and independent of their source.

use tempo_sdk_blobstore::{ErrorKind, PutOptions};

use crate::scope::{Outcome, Scope, fails, holds, pattern, same};

pub(crate) async fn copy(on: Scope) -> Outcome {
    let [from, to] = ["from", "to"].map(|name| on.name(name));
    let options = PutOptions::new().content_type("text/plain").metadata("a", "1").metadata("b", "2");
    let original = on.container.put_with(from.as_str(), pattern(0, 200_000), options).await?;
    let copy = on.container.copy(from.as_str(), to.as_str()).await?;
    same("name", copy.name.as_str(), to.as_str())?;
    same("size", copy.size, original.size)?;
    same("content type", &copy.content_type, &original.content_type)?;
    same("metadata", &copy.metadata, &original.metadata)?;
    same("stat of the copy", on.container.stat(to.as_str()).await?.as_ref(), Some(&copy))?;
    same("stat of the original", on.container.stat(from.as_str()).await?, Some(original))?;
    // The copy is unchanged when the original changes or is deleted.
    on.container.put(from.as_str(), "changed").await?;
    holds("the copy is whole", on.read(&to).await? == pattern(0, 200_000))?;
    on.container.delete(from.as_str()).await?;
    holds("the copy is whole", on.read(&to).await? == pattern(0, 200_000))?;
    same("stat of the copy", on.container.stat(to.as_str()).await?, Some(copy))?;
    on.clean().await
}

/// A copy replaces an existing object completely.
pub(crate) async fn over(on: Scope) -> Outcome {
    let [from, to] = ["from", "to"].map(|name| on.name(name));
    on.container.put(from.as_str(), "new").await?;
    let options = PutOptions::new().content_type("text/plain").metadata("old", "1");
    let old = on.container.put_with(to.as_str(), vec![b'o'; 100_000], options).await?;
    let copy = on.container.copy(from.as_str(), to.as_str()).await?;
    holds("the etag changes", copy.etag != old.etag)?;
    same("content type", copy.content_type.as_deref(), None)?;
    same("metadata", copy.metadata.len(), 0)?;
    same("what is there", on.read(&to).await?, b"new")?;
    on.clean().await
}

/// Copying a missing object fails and leaves an existing one unchanged.
pub(crate) async fn nothing(on: Scope) -> Outcome {
    let [from, to] = ["from", "to"].map(|name| on.name(name));
    for _ in 0..2 {
        let copy = on.container.copy(from.as_str(), to.as_str()).await;
        fails("a copy of nothing", copy, ErrorKind::NoSuchObject)?;
        on.is_gone(&from).await?;
    }
    on.is_gone(&to).await?;
    on.container.put(to.as_str(), "there").await?;
    fails("a copy of nothing", on.container.copy(from.as_str(), to.as_str()).await, ErrorKind::NoSuchObject)?;
    same("what is there", on.read(&to).await?, b"there")?;
    on.clean().await
}

/// Copying an object to itself loses nothing.
pub(crate) async fn itself(on: Scope) -> Outcome {
    let name = on.name("n");
    let options = PutOptions::new().content_type("text/plain").metadata("k", "v");
    on.container.put_with(name.as_str(), pattern(0, 200_000), options).await?;
    let copy = on.container.copy(name.as_str(), name.as_str()).await?;
    same("size", copy.size, 200_000)?;
    same("content type", copy.content_type.as_deref(), Some("text/plain"))?;
    same("metadata", copy.metadata("k"), Some("v"))?;
    holds("it is whole", on.read(&name).await? == pattern(0, 200_000))?;
    on.clean().await
}
