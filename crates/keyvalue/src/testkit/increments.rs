//! Increments: counters are entries with a decimal integer, and no concurrent increment is lost.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;

use super::{LATER_SECONDS, eventually, expect, expect_refused, gone_with, prefix, set, set_with_ttl, value};
use crate::{Condition, ErrorKind, KeyValueStore};

/// Concurrent tasks, and the increments of each.
const TASKS: u64 = 8;
const ROUNDS: u64 = 10;

/// An increment returns the sum and writes it with a new version. One that fails changes nothing.
pub(super) async fn counters_are_decimal_entries(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("counter");
    let add = async |delta: i64| store.increment(&key, delta.into()).await;
    ensure!(add(5).await? == 5, "an increment of nothing");
    let first = store.head(&key).await?.context("the version of a counter")?;
    ensure!(add(-7).await? == -2, "a decrement below zero");
    expect(store, &key, Some(b"-2")).await?;
    ensure!(store.head(&key).await?.is_some_and(|version| version != first), "an increment left the version as it was");
    expect_refused(store, &key, Condition::Version(first)).await?;
    let unsigned = store.increment(&key, 1u64.into()).await;
    ensure!(is_invalid(&unsigned), "an unsigned counter of -2: {unsigned:?}");
    set(store, &key, i64::MAX.to_string()).await?;
    let overflow = add(1).await;
    ensure!(is_invalid(&overflow), "an overflow: {overflow:?}");
    ensure!(store.increment(&key, 1u64.into()).await? == i128::from(i64::MAX) + 1, "an unsigned counter");
    set(store, &key, "many").await?;
    let version = store.head(&key).await?;
    let text = add(1).await;
    ensure!(is_invalid(&text), "an increment of text: {text:?}");
    ensure!(store.head(&key).await? == version, "a failed increment changed the version");
    expect(store, &key, Some(b"many")).await?;
    store.delete(&key).await?;
    ensure!(add(1).await? == 1, "an increment after a delete");
    Ok(())
}

fn is_invalid(result: &crate::Result<i128>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::InvalidArgument)
}

/// Each of many concurrent increments returns another sum.
pub(super) async fn increments_are_atomic(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("increments");
    let tasks = (0..TASKS).map(|_| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            let mut sums = Vec::new();
            for _ in 0..ROUNDS {
                sums.push(store.increment(&key, 1u64.into()).await?);
            }
            anyhow::Ok(sums)
        })
    });
    let mut sums = Vec::new();
    for task in try_join_all(tasks).await? {
        sums.extend(task?);
    }
    sums.sort_unstable();
    ensure!(sums.iter().copied().eq(1..=i128::from(TASKS * ROUNDS)), "the sums are {sums:?}");
    expect(store, &key, Some((TASKS * ROUNDS).to_string().as_bytes())).await
}

/// A counter expires when it would have expired without increments. The next one is new and never expires.
pub(super) async fn increments_keep_a_ttl(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("increment ttl");
    let [counter, long, later] = ["counter", "long", "later"].map(|name| format!("{prefix}{name}"));
    set_with_ttl(store, &long, "1", 3600).await?;
    set_with_ttl(store, &counter, "1", 1).await?;
    ensure!(store.increment(&long, 1u64.into()).await? == 2, "an increment of an entry with a ttl");
    // On a slow machine the counter has expired before the increment.
    if store.increment(&counter, 1u64.into()).await? == 2 {
        gone_with(store, &counter, &later).await.context("of an incremented counter")?;
        ensure!(store.increment(&counter, 1u64.into()).await? == 1, "an increment of an expired counter");
    }
    set_with_ttl(store, &later, "1", 1).await?;
    eventually(async || Ok(value(store, &later).await?.is_none())).await.context("the entry does not expire")?;
    expect(store, &counter, Some(b"1")).await.context("a counter without a ttl, after one with a ttl")?;
    expect(store, &long, Some(b"2")).await.context("a counter with a longer ttl")
}

/// Increments do not postpone the expiry, however often they occur: until it expires the counter grows.
pub(super) async fn frequent_increments_keep_a_ttl(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("increments ttl");
    let [counter, later] = ["counter", "later"].map(|name| format!("{prefix}{name}"));
    set_with_ttl(store, &counter, "1000", 1).await?;
    set_with_ttl(store, &later, "1", LATER_SECONDS).await?;
    let expired = async || {
        let is_due = value(store, &later).await?.is_none();
        if store.increment(&counter, 1u64.into()).await? < 1000 {
            return Ok(true);
        }
        ensure!(!is_due, "a counter that is incremented all the time does not expire");
        Ok(false)
    };
    eventually(expired).await
}
