//! Conditions: a write is done only over the entry that it was meant for, however many write at once.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::future::try_join_all;

use super::{expect, expect_refused, gone_with, prefix, set, set_with_ttl};
use crate::{Condition, ErrorKind, KeyValueStore, Version};

/// Tasks that write at once, and how often each does.
const TASKS: u64 = 8;
const ROUNDS: u64 = 10;

pub(super) async fn absent_entries_are_created_once(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("absent");
    store.set(&key, Bytes::from("first"), None, Condition::Absent).await.context("the first")?;
    expect_refused(store, &key, Condition::Absent).await?;
    expect(store, &key, Some(b"first")).await?;
    store.delete(&key).await?;
    store.set(&key, Bytes::from("second"), None, Condition::Absent).await.context("after a delete")?;
    expect(store, &key, Some(b"second")).await
}

pub(super) async fn versions_are_never_reused(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("version");
    expect_refused(store, &key, Condition::Version(1)).await.context("of nothing")?;
    let first = set(store, &key, "1").await?;
    let entry = store.get(&key).await?.context("the entry")?;
    ensure!(entry.version == first, "get gives another version than set gave");
    ensure!(store.head(&key).await? == Some(first), "head gives another version than set gave");
    let second = write(store, &key, "2", first).await.context("over the first")?;
    ensure!(second != first, "a write left the version as it was");
    expect_refused(store, &key, Condition::Version(first)).await.context("over the first again")?;
    let third = set(store, &key, "2").await?;
    ensure!(third != second, "a write of the same value left the version as it was");
    store.delete(&key).await?;
    // A deletion may be a version to the backend, but is none here. Any may be asked for.
    for guess in third..third.saturating_add(3) {
        expect_refused(store, &key, Condition::Version(guess)).await.context("after a delete")?;
    }
    expect(store, &key, None).await?;
    ensure!(store.head(&key).await?.is_none(), "head gives a version after a delete");
    let fourth = set(store, &key, "2").await?;
    ensure!(![first, second, third].contains(&fourth), "a version came back after a delete");
    expect_refused(store, &key, Condition::Version(third)).await.context("after it was made again")?;
    write(store, &key, "5", fourth).await.context("over what was made again")?;
    expect(store, &key, Some(b"5")).await
}

async fn write(store: &Arc<dyn KeyValueStore>, key: &str, value: &'static str, over: Version) -> Result<Version> {
    Ok(store.set(key, Bytes::from(value), None, Condition::Version(over)).await?)
}

/// A replacement is a write over one version, and over nothing else.
pub(super) async fn replacements_are_conditional(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("replace");
    let replace = async |value: &'static str, version| store.replace(&key, Bytes::from(value), version).await;
    ensure!(is_refused(&replace("0", 1).await), "nothing was replaced");
    let first = set(store, &key, "1").await?;
    let second = replace("2", first).await.context("over the first")?;
    ensure!(second != first, "a replacement left the version as it was");
    ensure!(is_refused(&replace("3", first).await), "an old version was replaced");
    expect(store, &key, Some(b"2")).await?;
    ensure!(store.head(&key).await? == Some(second), "a replacement returned another version than the entry has");
    store.delete(&key).await?;
    for guess in second..second.saturating_add(2) {
        ensure!(is_refused(&replace("4", guess).await), "a deleted entry was replaced");
    }
    expect(store, &key, None).await
}

/// A replaced entry expires when it would have expired before.
pub(super) async fn replacements_keep_a_ttl(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("replace ttl");
    let [short, long, later] = ["short", "long", "later"].map(|name| format!("{prefix}{name}"));
    let version = set_with_ttl(store, &long, "1", 3600).await?;
    store.replace(&long, Bytes::from("2"), version).await.context("a replacement")?;
    let version = set_with_ttl(store, &short, "1", 1).await?;
    match store.replace(&short, Bytes::from("2"), version).await {
        Ok(version) => {
            gone_with(store, &short, &later).await.context("of a replaced entry")?;
            ensure!(is_refused(&store.replace(&short, Bytes::from("3"), version).await), "an expired one was replaced");
        }
        // On a slow machine the entry has expired before.
        Err(error) => ensure!(error.kind() == ErrorKind::PreconditionFailed, "{error:?}"),
    }
    expect(store, &long, Some(b"2")).await
}

fn is_refused(result: &crate::Result<Version>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::PreconditionFailed)
}

/// Of many who write if there is nothing, one does.
pub(super) async fn one_of_many_writers_creates(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("lock");
    let attempts = (0..TASKS).map(|number| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            match store.set(&key, Bytes::from(number.to_string()), None, Condition::Absent).await {
                Ok(_) => Ok(Some(number)),
                Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(None),
                Err(error) => Err(error),
            }
        })
    });
    let mut winners = Vec::new();
    for attempt in try_join_all(attempts).await? {
        winners.extend(attempt?);
    }
    let [winner] = winners.as_slice() else { anyhow::bail!("{} have written if absent", winners.len()) };
    expect(store, &key, Some(winner.to_string().as_bytes())).await
}

/// No increment is lost and none is counted twice.
pub(super) async fn compare_and_swap_is_atomic(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("counter");
    let tasks = (0..TASKS).map(|_| {
        let (store, key) = (store.clone(), key.clone());
        tokio::spawn(async move {
            for _ in 0..ROUNDS {
                while !increment(&store, &key).await? {}
            }
            anyhow::Ok(())
        })
    });
    for task in try_join_all(tasks).await? {
        task?;
    }
    expect(store, &key, Some((TASKS * ROUNDS).to_string().as_bytes())).await
}

/// Returns whether no other writer came between.
async fn increment(store: &Arc<dyn KeyValueStore>, key: &str) -> Result<bool> {
    let (number, condition) = match store.get(key).await? {
        Some(entry) => (std::str::from_utf8(&entry.value)?.parse()?, Condition::Version(entry.version)),
        None => (0u64, Condition::Absent),
    };
    let sum = Bytes::from(number.saturating_add(1).to_string());
    match store.set(key, sum, None, condition).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::PreconditionFailed => Ok(false),
        Err(error) => Err(error.into()),
    }
}
