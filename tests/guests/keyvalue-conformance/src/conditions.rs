//! Conditional writes.

use futures::future::join_all;
use tempo_sdk_keyvalue::{Error, SetOptions};

use crate::scope::{Outcome, Scope, fails, same};

pub(crate) async fn if_not_exists(on: Scope) -> Outcome {
    let key = on.key("k");
    let set = |value: &'static str| on.bucket.set_with(key.as_str(), value, SetOptions::new().if_absent());
    set("first").await?;
    fails("a second time", set("second").await, Error::PreconditionFailed)?;
    same("get", on.bucket.get(key.as_str()).await?, Some(b"first".to_vec()))?;
    on.bucket.delete(key.as_str()).await?;
    set("after delete").await?;
    same("get after delete", on.bucket.get(key.as_str()).await?, Some(b"after delete".to_vec()))?;
    on.bucket.set(key.as_str(), "").await?;
    fails("over an empty value", set("third").await, Error::PreconditionFailed)?;
    on.bucket.delete(key.as_str()).await?;
    on.bucket.delete(key.as_str()).await?;
    set("after two deletes").await?;
    // Without the option the write replaces the entry.
    on.bucket.set_with(key.as_str(), "over", SetOptions::new()).await?;
    same("get after set", on.bucket.get(key.as_str()).await?, Some(b"over".to_vec()))?;
    on.clean().await
}

/// Of several concurrent writers exactly one succeeds, and its value is stored.
pub(crate) async fn at_once(on: Scope) -> Outcome {
    let key = on.key("k");
    for round in 0..5 {
        let values: Vec<String> = (0..20).map(|number| format!("{round}:{number}")).collect();
        let new = SetOptions::new().if_absent();
        let sets = values.iter().map(|value| on.bucket.set_with(key.as_str(), value.as_str(), new));
        let results = join_all(sets).await;
        let mut winners = Vec::new();
        for (value, result) in values.iter().zip(results) {
            match result {
                Ok(()) => winners.push(value),
                error => fails("one that came too late", error, Error::PreconditionFailed)?,
            }
        }
        same("how many succeed", winners.len(), 1)?;
        let there = on.bucket.get_string(key.as_str()).await?;
        same("what is there", there.as_ref(), winners.first().copied())?;
        on.bucket.delete(key.as_str()).await?;
    }
    on.clean().await
}
