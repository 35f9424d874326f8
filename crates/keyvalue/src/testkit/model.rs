//! Random operations on stores and on a model of each, a map: whatever the order, both must say the same, and no store may
//! see what was written to another. A failure is shrunk to the fewest operations that show it.

mod components;
mod plan;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use tokio::runtime::Runtime;

pub use self::components::{Components, Names};
use self::plan::{Plan, Step, Wanted, plans};
use crate::{Condition, Entry, ErrorKind, KeyValueStore, Version};

/// The stores of one test, and how they are opened.
#[async_trait]
pub trait Subject: Send {
    /// Opens the stores: empty ones at first, and later the same ones as they were left. By then nothing is used any more
    /// of what was opened before. A backend that forgets gives the same ones again.
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>>;

    /// Keys to try besides those that are hard everywhere: perhaps such as look like a place in another store.
    fn keys(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Runs `cases` random lists of operations, some thirty in each, the same ones every time. Each case has stores of its own:
/// `subject` makes them of what `worlds` gives, such as their names.
///
/// # Errors
///
/// An answer that the model would not give, with the fewest operations that lead to it.
pub fn run<W: Debug, S: Subject>(
    runtime: &Runtime,
    cases: u32,
    worlds: impl Strategy<Value = W>,
    subject: impl Fn(W) -> S,
) -> Result<()> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ran = runner.run(&(worlds, plans()), |(world, plan)| {
        let followed = runtime.block_on(follow(subject(world), plan));
        followed.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    ran.map_err(|error| anyhow!("{error}"))
}

/// Does what the plan says, and compares everything at the end.
async fn follow(mut subject: impl Subject, plan: Plan) -> Result<()> {
    let Plan { mut keys, steps } = plan;
    keys.extend(subject.keys());
    let mut stores = subject.open().await?;
    ensure!(!stores.is_empty(), "there is no store to try");
    let mut models: Vec<Model> = stores.iter().map(|_| Model::default()).collect();
    for (number, step) in steps.into_iter().enumerate() {
        let Some(at) = step.store() else {
            stores.clear();
            stores = subject.open().await.with_context(|| format!("step {number}, to open again"))?;
            continue;
        };
        let at = at.index(stores.len());
        let (Some(store), Some(model)) = (stores.get(at), models.get_mut(at)) else { continue };
        let description = format!("step {number} on store {at}, {}", step.describe(&keys));
        model.step(&**store, step, &keys).await.context(description)?;
    }
    stores.clear();
    stores = subject.open().await.context("to open again at the end")?;
    for (number, (store, model)) in stores.iter().zip(&models).enumerate() {
        model.compare(&**store, &keys).await.with_context(|| format!("store {number} at the end"))?;
    }
    Ok(())
}

/// What a store must hold.
#[derive(Default)]
struct Model {
    entries: BTreeMap<String, Entry>,
    /// Every version that was ever given out.
    versions: Vec<Version>,
}

impl Model {
    async fn step(&mut self, store: &dyn KeyValueStore, step: Step, keys: &[String]) -> Result<()> {
        match step {
            Step::Get { key, .. } => self.get(store, key.get::<String>(keys)).await,
            Step::Set { key, value, wanted, ttl, .. } => {
                let key = key.get(keys);
                let condition = self.condition(key, wanted);
                let holds = self.holds(key, condition);
                match store.set(key, value.clone().into(), ttl, condition).await {
                    Ok(version) => {
                        ensure!(holds, "it was written, but {condition:?} does not hold");
                        ensure!(!self.versions.contains(&version), "version {version} was given out before");
                        self.versions.push(version);
                        self.entries.insert(key.clone(), Entry { value: Bytes::from(value), version });
                    }
                    Err(error) => {
                        ensure!(error.kind() == ErrorKind::PreconditionFailed, "{error:?}");
                        ensure!(!holds, "it was refused, but {condition:?} holds");
                    }
                }
                Ok(())
            }
            Step::Delete { key, .. } => {
                let key = key.get(keys);
                self.entries.remove(key);
                Ok(store.delete(key).await?)
            }
            Step::Keys { prefix, after, limit, .. } => {
                let after = after.map(|after| after.get(keys).as_str());
                self.list(store, &prefix.of(keys), after, limit).await
            }
            Step::Reopen => Ok(()),
        }
    }

    async fn get(&self, store: &dyn KeyValueStore, key: &str) -> Result<()> {
        let found = store.get(key).await?;
        ensure!(found.as_ref() == self.entries.get(key), "there is {found:?} and not {:?}", self.entries.get(key));
        Ok(())
    }

    async fn list(&self, store: &dyn KeyValueStore, prefix: &str, after: Option<&str>, limit: usize) -> Result<()> {
        let found = store.keys(prefix, after, limit).await?;
        let wanted = self.entries.keys().filter(|key| key.starts_with(prefix));
        let wanted = wanted.filter(|key| after.is_none_or(|after| key.as_str() > after)).take(limit);
        let wanted: Vec<&str> = wanted.map(String::as_str).collect();
        ensure!(found == wanted, "the list is {found:?} and not {wanted:?}");
        Ok(())
    }

    async fn compare(&self, store: &dyn KeyValueStore, keys: &[String]) -> Result<()> {
        for key in keys {
            self.get(store, key).await.with_context(|| format!("{key:?}"))?;
        }
        self.list(store, "", None, usize::MAX).await
    }

    fn condition(&self, key: &str, wanted: Wanted) -> Condition {
        match wanted {
            Wanted::Always => Condition::Always,
            Wanted::Absent => Condition::Absent,
            Wanted::Current => Condition::Version(self.entries.get(key).map_or(0, |entry| entry.version)),
            Wanted::Earlier(_) if self.versions.is_empty() => Condition::Version(77),
            Wanted::Earlier(index) => Condition::Version(*index.get(&self.versions)),
        }
    }

    fn holds(&self, key: &str, condition: Condition) -> bool {
        let version = self.entries.get(key).map(|entry| entry.version);
        match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(wanted) => version == Some(wanted),
        }
    }
}

#[cfg(test)]
mod tests;
