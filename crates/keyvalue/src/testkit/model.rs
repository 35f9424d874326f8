//! Model-based tests of a store: `KeyValueModel` is a map with every version that was assigned.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use async_trait::async_trait;
use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::{Index, select};
pub use tempo_backend::testkit::model::{BackendUrls, ComponentBackends, SystemUnderTest, run};
use tempo_backend::testkit::model::{Prefix, ReferenceModel};
use tempo_settings::Flag;

use super::entries::odd_keys;
use crate::{Condition, Entry, ErrorKind, Increment, KEYVALUE, KeyValueStore, Version};

/// Maximum length of a key, in bytes.
const MAX_KEY_BYTES: usize = 512;

/// The expected content of a store.
#[derive(Debug, Default)]
pub struct KeyValueModel {
    entries: BTreeMap<String, Entry>,
    /// Every version that was ever assigned.
    versions: Vec<Version>,
}

/// An operation on a store.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Compares an entry.
    Get {
        /// The key.
        key: Index,
    },
    /// Writes an entry.
    Set {
        /// The key.
        key: Index,
        /// The value.
        value: Vec<u8>,
        /// The condition.
        condition: ConditionChoice,
        /// The time to live. No entry expires during a test.
        ttl: Option<Duration>,
    },
    /// Increments a counter.
    Increment {
        /// The key.
        key: Index,
        /// The number to add.
        delta: i64,
    },
    /// Deletes an entry.
    Delete {
        /// The key.
        key: Index,
    },
    /// Compares a page of keys.
    Keys {
        /// The prefix of the keys.
        prefix: Prefix,
        /// The key that the page starts after.
        after: Option<Index>,
        /// Maximum number of keys.
        limit: usize,
    },
}

/// A condition whose version is determined when the operation runs.
#[derive(Clone, Copy, Debug)]
pub enum ConditionChoice {
    /// [`Condition::Always`].
    Always,
    /// [`Condition::Absent`].
    Absent,
    /// The version of the entry.
    Current,
    /// The version of an earlier write to the same store.
    Earlier(Index),
}

#[async_trait(?Send)]
impl ReferenceModel for KeyValueModel {
    type Backend = dyn KeyValueStore;
    type Operation = Operation;

    const FLAG: Flag = KEYVALUE;

    fn name() -> BoxedStrategy<String> {
        prop_oneof![
            3 => select(["a", "A", "ab", "a/b", "a.b", "b"].map(str::to_owned).to_vec()),
            2 => select(odd_keys()),
            1 => "(?s).{1,8}",
        ]
        .boxed()
    }

    fn operation() -> BoxedStrategy<Operation> {
        let key = any::<Index>;
        let condition = prop_oneof![
            3 => Just(ConditionChoice::Always),
            2 => Just(ConditionChoice::Absent),
            3 => Just(ConditionChoice::Current),
            1 => any::<Index>().prop_map(ConditionChoice::Earlier),
        ];
        let value = prop_oneof![
            3 => prop::collection::vec(any::<u8>(), 0..20),
            1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        ];
        let ttl = prop::option::weighted(0.3, (1000_u64..100_000).prop_map(Duration::from_secs));
        prop_oneof![
            3 => key().prop_map(|key| Operation::Get { key }),
            8 => (key(), value, condition, ttl)
                .prop_map(|(key, value, condition, ttl)| Operation::Set { key, value, condition, ttl }),
            2 => (key(), prop_oneof![-9_i64..9, any::<i64>()])
                .prop_map(|(key, delta)| Operation::Increment { key, delta }),
            2 => key().prop_map(|key| Operation::Delete { key }),
            2 => (Prefix::strategy(), prop::option::of(key()), 0_usize..12)
                .prop_map(|(prefix, after, limit)| Operation::Keys { prefix, after, limit }),
        ]
        .boxed()
    }

    fn foreign_names(place: &str) -> Vec<String> {
        let keys = [format!("$KV.{place}.a"), format!("../{place}/a"), format!("{place}/a"), format!("{place}.a")];
        keys.into_iter().filter(|key| key.len() <= MAX_KEY_BYTES).collect()
    }

    fn describe(operation: &Operation, keys: &[String]) -> String {
        match operation {
            Operation::Get { key } => format!("get of {:?}", key.get(keys)),
            Operation::Set { key, condition, ttl, .. } => {
                format!("set of {:?}, {condition:?}, {ttl:?}", key.get(keys))
            }
            Operation::Increment { key, delta } => format!("increment of {:?} by {delta}", key.get(keys)),
            Operation::Delete { key } => format!("delete of {:?}", key.get(keys)),
            Operation::Keys { prefix, after, limit } => {
                let after = after.map(|after| after.get(keys));
                format!("list of {limit} from {:?} after {after:?}", prefix.of(keys))
            }
        }
    }

    async fn apply(&mut self, store: &dyn KeyValueStore, operation: Operation, keys: &[String]) -> Result<()> {
        match operation {
            Operation::Get { key } => self.get(store, key.get::<String>(keys)).await,
            Operation::Set { key, value, condition, ttl } => {
                let key: &String = key.get(keys);
                let condition = self.condition(key, condition);
                self.set(store, key, value.into(), ttl, condition).await
            }
            Operation::Increment { key, delta } => self.increment(store, key.get::<String>(keys), delta.into()).await,
            Operation::Delete { key } => {
                let key: &String = key.get(keys);
                self.entries.remove(key);
                Ok(store.delete(key).await?)
            }
            Operation::Keys { prefix, after, limit } => {
                let after = after.map(|after| after.get::<String>(keys).as_str());
                self.list(store, &prefix.of(keys), after, limit).await
            }
        }
    }

    async fn compare(&self, store: &dyn KeyValueStore, keys: &[String]) -> Result<()> {
        for key in keys {
            self.get(store, key).await.with_context(|| format!("{key:?}"))?;
        }
        self.list(store, "", None, usize::MAX).await
    }
}

impl KeyValueModel {
    async fn get(&self, store: &dyn KeyValueStore, key: &str) -> Result<()> {
        let found = store.get(key).await?;
        ensure!(found.as_ref() == self.entries.get(key), "there is {found:?} and not {:?}", self.entries.get(key));
        let (head, version) = (store.head(key).await?, found.map(|entry| entry.version));
        ensure!(head == version, "the version is {head:?} and not {version:?}");
        Ok(())
    }

    /// The version of the sum is known only by reading it.
    async fn increment(&mut self, store: &dyn KeyValueStore, key: &str, increment: Increment) -> Result<()> {
        let expected = increment.apply(self.entries.get(key).map(|entry| &*entry.value));
        let sum = store.increment(key, increment).await;
        match (&expected, &sum) {
            (Ok(expected), Ok(sum)) => ensure!(sum == expected, "the sum is {sum} and not {expected}"),
            (Err(expected), Err(error)) => ensure!(error.kind() == expected.kind(), "{error:?} and not {expected:?}"),
            _ => anyhow::bail!("{sum:?} and not {expected:?}"),
        }
        if let Ok(sum) = sum {
            let version = store.head(key).await?.context("there is no counter")?;
            ensure!(!self.versions.contains(&version), "version {version} was assigned before");
            self.versions.push(version);
            self.entries.insert(key.to_owned(), Entry { value: Bytes::from(sum.to_string()), version });
        }
        Ok(())
    }

    async fn set(
        &mut self,
        store: &dyn KeyValueStore,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        condition: Condition,
    ) -> Result<()> {
        let holds = self.holds(key, condition);
        match store.set(key, value.clone(), ttl, condition).await {
            Ok(version) => {
                ensure!(holds, "it was written, but {condition:?} does not hold");
                ensure!(!self.versions.contains(&version), "version {version} was assigned before");
                self.versions.push(version);
                self.entries.insert(key.to_owned(), Entry { value, version });
            }
            Err(error) => {
                ensure!(error.kind() == ErrorKind::PreconditionFailed, "{error:?}");
                ensure!(!holds, "it was refused, but {condition:?} holds");
            }
        }
        Ok(())
    }

    async fn list(&self, store: &dyn KeyValueStore, prefix: &str, after: Option<&str>, limit: usize) -> Result<()> {
        let found = store.keys(prefix, after, limit).await?;
        let expected = self.entries.keys().filter(|key| key.starts_with(prefix));
        let expected = expected.filter(|key| after.is_none_or(|after| key.as_str() > after)).take(limit);
        let expected: Vec<&str> = expected.map(String::as_str).collect();
        ensure!(found == expected, "the list is {found:?} and not {expected:?}");
        Ok(())
    }

    fn condition(&self, key: &str, choice: ConditionChoice) -> Condition {
        match choice {
            ConditionChoice::Always => Condition::Always,
            ConditionChoice::Absent => Condition::Absent,
            ConditionChoice::Current => Condition::Version(self.entries.get(key).map_or(0, |entry| entry.version)),
            ConditionChoice::Earlier(_) if self.versions.is_empty() => Condition::Version(77),
            ConditionChoice::Earlier(index) => Condition::Version(*index.get(&self.versions)),
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
