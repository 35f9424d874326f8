//! Opening buckets.

use tempo_sdk_keyvalue::{Bucket, Error};

use crate::scope::{Outcome, Scope, fails, same};

/// Opening a name that is not configured fails.
pub(crate) async fn unknown(_: Scope) -> Outcome {
    for name in ["nowhere", " ", "Default", "default ", "../default", "default\0"] {
        fails(&format!("open {name:?}"), Bucket::open(name).await, Error::NoSuchStore)?;
    }
    Ok(())
}

/// Two handles refer to one bucket, and one outlives the other.
pub(crate) async fn same_store(on: Scope) -> Outcome {
    let key = on.key("k");
    // The empty name is the default.
    for name in ["default", ""] {
        let other = Bucket::open(name).await?;
        other.set(key.as_str(), name).await?;
        drop(other);
        same("what another handle wrote", on.bucket.get(key.as_str()).await?, Some(name.as_bytes().to_vec()))?;
    }
    on.clean().await
}
