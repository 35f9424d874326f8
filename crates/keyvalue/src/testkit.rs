//! The testkit of stores: conformance checks, as named trials of libtest-mimic, and a model-based test.
//!
//! A test target with `harness = false` runs the [`trials`] of a backend. See `examples/own_backend.rs`.

mod conditions;
mod entries;
#[cfg(test)]
mod flawed;
mod increments;
mod lists;
pub mod model;
mod watches;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;
use tempo_backend::check;
pub use tempo_backend::testkit::Trial;
use tempo_backend::testkit::{self, Check};

use crate::{Condition, ErrorKind, KeyValueStore, Version};

/// Timeout of an expected event: generous, because the checks do not measure time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Lifetime of an entry that certainly outlives one of a second: stores may have a resolution of seconds.
const LATER_SECONDS: u64 = 4;

/// The operations of a store besides reading, writing and deleting entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
    /// Writes hold to a [`Condition`], atomically: create if absent, compare-and-swap by version.
    pub conditional_writes: bool,
    /// Entries expire after their `ttl`.
    pub lifetimes: bool,
    /// Lists keys, in the order of their bytes.
    pub list: bool,
    /// Reports changes to watchers.
    pub watch: bool,
    /// Reports every change to watchers. Without it, a value that was replaced before its delivery may be left out.
    pub every_change: bool,
}

impl Capabilities {
    /// All of them.
    pub const ALL: Self =
        Self { conditional_writes: true, lifetimes: true, list: true, watch: true, every_change: true };
    /// None of them.
    pub const NONE: Self =
        Self { conditional_writes: false, lifetimes: false, list: false, watch: false, every_change: false };
}

/// Returns a trial of each check that applies to the `capabilities` of a backend, with the name `prefix::check`.
///
/// Each trial opens a store with `factory`. Trials run concurrently: no store may be the store of another trial. It may have
/// entries.
pub fn trials<F>(
    prefix: &str,
    factory: impl Fn() -> F + Send + Sync + 'static,
    capabilities: &Capabilities,
) -> Vec<Trial>
where
    F: Future<Output = Result<Arc<dyn KeyValueStore>>>,
{
    testkit::trials(prefix, checks(), capabilities, factory)
}

fn checks() -> Vec<Check<Arc<dyn KeyValueStore>, Capabilities>> {
    vec![
        check!(entries::entries_are_set_read_and_deleted),
        check!(entries::keys_are_opaque),
        check!(entries::values_are_opaque),
        check!(entries::entries_expire, |can| can.lifetimes),
        check!(entries::expired_entries_are_absent, |can| can.lifetimes && can.conditional_writes),
        check!(entries::expired_entries_are_not_listed, |can| can.lifetimes && can.list),
        check!(conditions::absent_entries_are_created_once, |can| can.conditional_writes),
        check!(conditions::versions_are_never_reused, |can| can.conditional_writes),
        check!(conditions::one_of_many_writers_creates, |can| can.conditional_writes),
        check!(conditions::compare_and_swap_is_atomic, |can| can.conditional_writes),
        check!(increments::counters_are_decimal_entries, |can| can.conditional_writes),
        check!(increments::increments_are_atomic, |can| can.conditional_writes),
        check!(increments::increments_keep_a_ttl, |can| can.conditional_writes && can.lifetimes),
        check!(increments::frequent_increments_keep_a_ttl, |can| can.conditional_writes && can.lifetimes),
        check!(conditions::replacements_are_conditional, |can| can.conditional_writes),
        check!(conditions::replacements_keep_a_ttl, |can| can.conditional_writes && can.lifetimes),
        check!(lists::keys_are_listed_in_order, |can| can.list),
        check!(lists::odd_keys_are_listed, |can| can.list),
        check!(lists::keys_are_listed_by_prefix, |can| can.list),
        check!(lists::keys_are_listed_in_pages, |can| can.list),
        check!(watches::watchers_receive_the_last_change, |can| can.watch),
        check!(watches::every_watcher_receives_every_change, |can| can.every_change && can.conditional_writes),
        check!(watches::changes_of_a_key_are_in_order, |can| can.every_change),
    ]
}

/// A prefix that no other check uses, in this run or in one before.
fn prefix(check: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{check} {now} {} ", NEXT.fetch_add(1, Relaxed))
}

async fn set(store: &Arc<dyn KeyValueStore>, key: &str, value: impl Into<Bytes>) -> Result<Version> {
    store.set(key, value.into(), None, Condition::Always).await.with_context(|| format!("set of {key:?}"))
}

async fn value(store: &Arc<dyn KeyValueStore>, key: &str) -> Result<Option<Bytes>> {
    let entry = store.get(key).await.with_context(|| format!("get of {key:?}"))?;
    Ok(entry.map(|entry| entry.value))
}

async fn expect(store: &Arc<dyn KeyValueStore>, key: &str, expected: Option<&[u8]>) -> Result<()> {
    let found = value(store, key).await?;
    ensure!(found.as_deref() == expected, "{key:?} has another value than it should, or none");
    let exists = store.exists(key).await.with_context(|| format!("exists of {key:?}"))?;
    ensure!(exists == expected.is_some(), "exists of {key:?} returns {exists}");
    Ok(())
}

/// The write must be refused because its condition does not hold.
async fn expect_refused(store: &Arc<dyn KeyValueStore>, key: &str, condition: Condition) -> Result<()> {
    match store.set(key, Bytes::from("refused"), None, condition).await {
        Ok(_) => bail!("a write of {key:?} under {condition:?} was done"),
        Err(error) => {
            ensure!(error.kind() == ErrorKind::PreconditionFailed, "{condition:?} failed with {error:?}");
            Ok(())
        }
    }
}

async fn set_with_ttl(store: &Arc<dyn KeyValueStore>, key: &str, value: &'static str, seconds: u64) -> Result<Version> {
    let ttl = Some(Duration::from_secs(seconds));
    store.set(key, Bytes::from(value), ttl, Condition::Always).await.context("set with a ttl")
}

/// Requires that the entry under `key`, which has less than a second left, expires before one under `later`, which has more.
async fn gone_with(store: &Arc<dyn KeyValueStore>, key: &str, later: &str) -> Result<()> {
    set_with_ttl(store, later, "later", LATER_SECONDS).await?;
    eventually(async || Ok(value(store, later).await?.is_none() || value(store, key).await?.is_none())).await?;
    ensure!(value(store, key).await?.is_none(), "the entry does not expire");
    ensure!(store.head(key).await?.is_none(), "an expired entry has a version");
    Ok(())
}

/// Polls until the condition holds.
async fn eventually<F: Future<Output = Result<bool>>>(mut ask: impl FnMut() -> F) -> Result<()> {
    let asking = async {
        while !ask().await? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, asking).await.context("it did not come about")?
}

#[cfg(test)]
mod tests;
