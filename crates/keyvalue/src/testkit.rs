//! The suite that every backend must pass: what a component may rely on, whatever its stores are.
//!
//! Call [`run`] from a test, on a store that nobody else writes to meanwhile. What is in it already does not matter:
//! each check works below a prefix of its own.
//!
//! With the feature `model`, `model::run` besides drives random operations on stores and on a model of them.

mod conditions;
mod entries;
mod lists;
pub mod model;
mod watches;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::Bytes;

use crate::{Condition, ErrorKind, KeyValueStore, Version};

/// How long something may take to come about that is not at once: generous, because nothing is timed here.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `store` for everything that the interface promises.
///
/// # Errors
///
/// The first answer that is not what the interface promises.
pub async fn run(store: Arc<dyn KeyValueStore>) -> Result<()> {
    entries::run(&store).await.context("entries")?;
    conditions::run(&store).await.context("conditions")?;
    lists::run(&store).await.context("lists")?;
    watches::run(&store).await.context("watches")
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

/// Asks again and again until it is so.
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
