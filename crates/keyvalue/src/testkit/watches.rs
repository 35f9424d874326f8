//! Watches: every change reaches everyone who listens, in order for each key.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use futures::future::try_join_all;
use futures::stream::BoxStream;
use tokio::time::timeout;

use super::{PATIENCE, expect_refused, prefix, set};
use crate::{Change, Condition, KeyValueStore};

type Changes = BoxStream<'static, crate::Result<Change>>;

/// Keys that change at once, and how often each does.
const KEYS: usize = 5;
const TIMES: usize = 10;

/// The next change below `prefix`.
async fn next(changes: &mut Changes, prefix: &str) -> Result<Change> {
    let waiting = async {
        loop {
            let change = changes.next().await.context("the changes ended")??;
            let (Change::Set { key, .. } | Change::Delete { key }) = &change;
            if key.starts_with(prefix) {
                return Ok(change);
            }
        }
    };
    timeout(PATIENCE, waiting).await.context("no change came")?
}

/// Values that are replaced at once may be left out, and the last one of each key may not.
pub(super) async fn watchers_receive_the_last_change(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("last change");
    let mut watchers = [store.watch().await?, store.watch().await?];
    let keys: Vec<String> = (0..KEYS).map(|number| format!("{prefix}{number}")).collect();
    for time in 0..TIMES {
        for key in &keys {
            set(store, key, time.to_string()).await?;
        }
    }
    let [deleted, kept @ ..] = keys.as_slice() else { anyhow::bail!("there are no keys") };
    store.delete(deleted).await?;
    let mut expected: Vec<Change> = vec![Change::Delete { key: deleted.clone() }];
    let last = (TIMES - 1).to_string();
    expected.extend(kept.iter().map(|key| Change::Set { key: key.clone(), value: last.clone().into() }));
    for changes in &mut watchers {
        let mut missing = expected.clone();
        while !missing.is_empty() {
            let change = next(changes, &prefix).await.with_context(|| format!("{missing:?} are missing"))?;
            missing.retain(|missing| *missing != change);
        }
    }
    Ok(())
}

pub(super) async fn every_watcher_receives_every_change(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("watch");
    set(store, &key, "before").await?;
    let mut first = store.watch().await?;
    let mut second = store.watch().await?;
    set(store, &key, "one").await?;
    expect_refused(store, &key, Condition::Absent).await?;
    set(store, &key, "").await?;
    store.delete(&key).await?;
    set(store, &key, "two").await?;
    let set = |value: &'static str| Change::Set { key: key.clone(), value: value.into() };
    for changes in [&mut first, &mut second] {
        for expected in [set("one"), set(""), Change::Delete { key: key.clone() }, set("two")] {
            let change = next(changes, &key).await?;
            ensure!(change == expected, "{change:?} instead of {expected:?}");
        }
    }
    Ok(())
}

pub(super) async fn changes_of_a_key_are_in_order(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("order of changes");
    let mut changes = store.watch().await?;
    let writers = (0..KEYS).map(|number| {
        let (store, key) = (store.clone(), format!("{prefix}{number}"));
        tokio::spawn(async move {
            for time in 0..TIMES {
                set(&store, &key, time.to_string()).await?;
            }
            anyhow::Ok(())
        })
    });
    for writer in try_join_all(writers).await? {
        writer?;
    }
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..KEYS * TIMES {
        let Change::Set { key, value } = next(&mut changes, &prefix).await? else {
            anyhow::bail!("nothing was deleted")
        };
        seen.entry(key).or_default().push(String::from_utf8(value.to_vec())?);
    }
    let expected: Vec<String> = (0..TIMES).map(|time| time.to_string()).collect();
    ensure!(seen.len() == KEYS && seen.values().all(|values| *values == expected), "changes came out of order");
    Ok(())
}
