//! Compare-and-swap: by version, by value, by both.

use futures::future::try_join_all;
use tempo_sdk_keyvalue::{Entry, Error, Expected, Swap};

use crate::scope::{Differs, Outcome, Scope, fails, same};

async fn entry(on: &Scope, key: &str) -> Result<Entry, Differs> {
    on.bucket.entry(key).await?.ok_or_else(|| Differs::new("current: none, and not an entry"))
}

fn by_version(entry: &Entry) -> Expected {
    Expected::new().version(&entry.version)
}

pub(crate) async fn version(on: Scope) -> Outcome {
    let key = on.key("k");
    same("current of nothing", on.bucket.entry(key.as_str()).await?, None)?;
    on.bucket.set(key.as_str(), "a").await?;
    let first = entry(&on, &key).await?;
    same("the value", first.value.as_slice(), b"a")?;
    same("current again", entry(&on, &key).await?, first.clone())?;
    same("a swap", on.bucket.swap(key.as_str(), "b", by_version(&first)).await?, Swap::Done)?;
    let second = entry(&on, &key).await?;
    same("the value", second.value.as_slice(), b"b")?;
    same("whether the version is the old one", second.version == first.version, false)?;
    let stale = on.bucket.swap(key.as_str(), "c", by_version(&first)).await?;
    same("a swap of an old version", stale, Swap::Stale(Some(second.clone())))?;
    same("what is there", entry(&on, &key).await?, second.clone())?;
    // The result `Stale` is sufficient for the next swap.
    same("a swap of the returned version", on.bucket.swap(key.as_str(), "c", by_version(&second)).await?, Swap::Done)?;
    on.bucket.delete(key.as_str()).await?;
    let third = on.bucket.swap(key.as_str(), "d", by_version(&second)).await?;
    same("a swap of nothing", third, Swap::Stale(None))?;
    same("what is there", on.bucket.get(key.as_str()).await?, None)?;
    on.clean().await
}

/// A version is never reused: not with the same value, not with a new entry, not by an increment.
pub(crate) async fn version_that_was(on: Scope) -> Outcome {
    let key = on.key("k");
    let mut old = Vec::new();
    for round in 0..3 {
        on.bucket.set(key.as_str(), "1").await?;
        old.push(entry(&on, &key).await?);
        on.bucket.set(key.as_str(), "1").await?;
        old.push(entry(&on, &key).await?);
        on.bucket.increment(key.as_str(), 1).await?;
        old.push(entry(&on, &key).await?);
        if round < 2 {
            on.bucket.delete(key.as_str()).await?;
        }
    }
    let current = old.pop().ok_or_else(|| Differs::new("no entry"))?;
    for entry in &old {
        same("whether an old version came back", entry.version == current.version, false)?;
        let swap = on.bucket.swap(key.as_str(), "x", by_version(entry)).await?;
        same("a swap of a version that was", swap, Swap::Stale(Some(current.clone())))?;
    }
    same("a swap", on.bucket.swap(key.as_str(), "2", by_version(&current)).await?, Swap::Done)?;
    // The version of another key, unless it equals this one's.
    let other = on.key("other");
    on.bucket.set(other.as_str(), "1").await?;
    let (mine, others) = (entry(&on, &key).await?, entry(&on, &other).await?);
    if mine.version != others.version {
        let swap = on.bucket.swap(key.as_str(), "3", by_version(&others)).await?;
        same("a swap of another key's version", swap, Swap::Stale(Some(mine)))?;
    }
    on.clean().await
}

pub(crate) async fn value(on: Scope) -> Outcome {
    let key = on.key("k");
    let swap = |new: &'static str, old: &'static str| on.bucket.swap(key.as_str(), new, Expected::new().value(old));
    same("a swap of nothing", swap("b", "a").await?, Swap::Stale(None))?;
    same("a swap of nothing for an empty value", swap("b", "").await?, Swap::Stale(None))?;
    on.bucket.set(key.as_str(), "a").await?;
    same("a swap", swap("b", "a").await?, Swap::Done)?;
    let now = entry(&on, &key).await?;
    same("a swap of an old value", swap("c", "a").await?, Swap::Stale(Some(now.clone())))?;
    same("a swap of the beginning of the value", swap("c", "").await?, Swap::Stale(Some(now)))?;
    // Only the value is compared, not the history.
    on.bucket.set(key.as_str(), "a").await?;
    on.bucket.set(key.as_str(), "b").await?;
    same("a swap of a value that came back", swap("", "b").await?, Swap::Done)?;
    same("a swap of an empty value", swap("end", "").await?, Swap::Done)?;
    same("get", on.bucket.get(key.as_str()).await?, Some(b"end".to_vec()))?;
    on.clean().await
}

/// Both conditions must hold.
pub(crate) async fn both(on: Scope) -> Outcome {
    let key = on.key("k");
    on.bucket.set(key.as_str(), "a").await?;
    let old = entry(&on, &key).await?;
    on.bucket.set(key.as_str(), "a").await?;
    let now = entry(&on, &key).await?;
    let stale = || Swap::Stale(Some(now.clone()));
    let wrong_value = on.bucket.swap(key.as_str(), "b", by_version(&now).value("x")).await?;
    same("the version and another value", wrong_value, stale())?;
    let wrong_version = on.bucket.swap(key.as_str(), "b", by_version(&old).value("a")).await?;
    same("another version and the value", wrong_version, stale())?;
    let right = on.bucket.swap(key.as_str(), "b", by_version(&now).value("a")).await?;
    same("the version and the value", right, Swap::Done)?;
    same("get", on.bucket.get(key.as_str()).await?, Some(b"b".to_vec()))?;
    on.clean().await
}

/// A swap without a condition is rejected, whatever the entry is.
pub(crate) async fn nothing(on: Scope) -> Outcome {
    let key = on.key("k");
    let swap = on.bucket.swap(key.as_str(), "b", Expected::new()).await;
    fails("a swap of nothing", swap, Error::InvalidArgument)?;
    same("get", on.bucket.get(key.as_str()).await?, None)?;
    on.bucket.set(key.as_str(), "a").await?;
    let swap = on.bucket.swap(key.as_str(), "b", Expected::new()).await;
    fails("a swap of an entry", swap, Error::InvalidArgument)?;
    same("get", on.bucket.get(key.as_str()).await?, Some(b"a".to_vec()))?;
    on.clean().await
}

/// Of several swaps of the same state exactly one succeeds.
pub(crate) async fn at_once(on: Scope) -> Outcome {
    let key = on.key("k");
    on.bucket.set(key.as_str(), "start").await?;
    for round in 0..5 {
        let old = entry(&on, &key).await?;
        let swap = |number: usize| on.bucket.swap(key.as_str(), format!("{round}:{number}"), by_version(&old));
        let results = try_join_all((0..20).map(swap)).await?;
        let done: Vec<usize> =
            (0..).zip(&results).filter(|(_, swap)| **swap == Swap::Done).map(|pair| pair.0).collect();
        same("how many succeed", done.len(), 1)?;
        let there = on.bucket.get_string(key.as_str()).await?;
        same("what is there", there, done.first().map(|number| format!("{round}:{number}")))?;
    }
    on.clean().await
}
