//! Opening containers.

use tempo_sdk_blobstore::{Container, ErrorKind};

use crate::scope::{Outcome, Scope, fails, same};

/// Opening a name that is not configured fails.
pub(crate) async fn unknown(_: Scope) -> Outcome {
    for name in ["nowhere", "", "Default", "default ", "../default", "default\0"] {
        fails(&format!("open {name:?}"), Container::open(name).await, ErrorKind::NoSuchContainer)?;
    }
    Ok(())
}

/// Two handles refer to one container, and one outlives the other.
pub(crate) async fn same_container(on: Scope) -> Outcome {
    let name = on.name("n");
    let other = Container::open("default").await?;
    other.put(name.as_str(), "value").await?;
    // An operation continues after its handle is dropped.
    let mut object = other.get(name.as_str()).await?;
    drop(other);
    same("what another handle opened", object.reader.chunk().await?.as_deref(), Some(&b"value"[..]))?;
    same("what another handle wrote", on.read(&name).await?, b"value")?;
    on.clean().await
}
