//! Random operations on each embedded backend, against a map: whatever the order, both must say the same.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use tempfile::TempDir;
use tempo_wasi_keyvalue::{Condition, Entry, ErrorKind, FileStore, MemoryStore, Store, Version};

const KEYS: &[&str] = &["a", "A", "ab", "a/b", "a\0", "..", "ä", "b", "\u{10ffff}"];
const PREFIXES: &[&str] = &["", "a", "A", "a/", "b", "c"];

#[derive(Clone, Debug)]
enum Operation {
    Get(&'static str),
    Set { key: &'static str, value: Vec<u8>, condition: Wanted, ttl: Option<Duration> },
    Delete(&'static str),
    Keys { prefix: &'static str, after: Option<&'static str>, limit: usize },
    Reopen,
}

/// A condition in words: which version it means is known only when it is used.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Always,
    Absent,
    Current,
    /// The version of some earlier write.
    Earlier(prop::sample::Index),
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || select(KEYS);
    let condition = prop_oneof![
        3 => Just(Wanted::Always),
        2 => Just(Wanted::Absent),
        3 => Just(Wanted::Current),
        1 => any::<prop::sample::Index>().prop_map(Wanted::Earlier),
    ];
    let value = prop::collection::vec(any::<u8>(), 0..20);
    // Long enough that no life ends during a test.
    let ttl = prop::option::weighted(0.3, (1000u64..100_000).prop_map(Duration::from_secs));
    prop_oneof![
        3 => key().prop_map(Operation::Get),
        8 => (key(), value, condition, ttl)
            .prop_map(|(key, value, condition, ttl)| Operation::Set { key, value, condition, ttl }),
        2 => key().prop_map(Operation::Delete),
        2 => (select(PREFIXES), prop::option::of(key()), 0usize..12)
            .prop_map(|(prefix, after, limit)| Operation::Keys { prefix, after, limit }),
        1 => Just(Operation::Reopen),
    ]
}

/// A backend, and how it is closed and opened again.
enum Subject {
    Memory(MemoryStore),
    File { path: PathBuf, store: Option<FileStore>, _folder: TempDir },
}

impl Subject {
    async fn file() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let store = Some(FileStore::open(&path).await.unwrap());
        Self::File { path, store, _folder: folder }
    }

    fn store(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => Arc::new(store.clone()),
            Self::File { store, .. } => Arc::new(store.clone().unwrap()),
        }
    }

    async fn reopen(&mut self) {
        if let Self::File { path, store, .. } = self {
            drop(store.take());
            *store = Some(FileStore::open(path).await.unwrap());
        }
    }
}

#[derive(Default)]
struct Model {
    entries: BTreeMap<&'static str, (Vec<u8>, Version)>,
    /// Every version that was ever given out.
    versions: Vec<Version>,
}

impl Model {
    fn condition(&self, key: &str, wanted: Wanted) -> Condition {
        match wanted {
            Wanted::Always => Condition::Always,
            Wanted::Absent => Condition::Absent,
            Wanted::Current => Condition::Version(self.entries.get(key).map_or(0, |(_, version)| *version)),
            Wanted::Earlier(_) if self.versions.is_empty() => Condition::Version(77),
            Wanted::Earlier(index) => Condition::Version(*index.get(&self.versions)),
        }
    }

    fn holds(&self, key: &str, condition: Condition) -> bool {
        let version = self.entries.get(key).map(|(_, version)| *version);
        match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(wanted) => version == Some(wanted),
        }
    }

    async fn check(&mut self, subject: &mut Subject, operation: Operation) -> Result<(), TestCaseError> {
        let store = subject.store();
        match operation {
            Operation::Get(key) => prop_assert_eq!(store.get(key).await.unwrap(), self.entry(key)),
            Operation::Set { key, value, condition, ttl } => {
                let condition = self.condition(key, condition);
                let written = store.set(key, Bytes::from(value.clone()), ttl, condition).await;
                prop_assert_eq!(written.is_ok(), self.holds(key, condition), "{:?} of {:?}", condition, key);
                match written {
                    Ok(version) => {
                        prop_assert!(!self.versions.contains(&version), "a version came back");
                        self.versions.push(version);
                        self.entries.insert(key, (value, version));
                    }
                    Err(error) => prop_assert_eq!(error.kind(), ErrorKind::PreconditionFailed),
                }
            }
            Operation::Delete(key) => {
                store.delete(key).await.unwrap();
                self.entries.remove(key);
            }
            Operation::Keys { prefix, after, limit } => {
                let all = self.entries.keys().filter(|key| key.starts_with(prefix));
                let expected: Vec<&str> =
                    all.filter(|key| after.is_none_or(|after| **key > after)).take(limit).copied().collect();
                prop_assert_eq!(store.keys(prefix, after, limit).await.unwrap(), expected);
            }
            Operation::Reopen => {
                drop(store);
                subject.reopen().await;
            }
        }
        Ok(())
    }

    fn entry(&self, key: &str) -> Option<Entry> {
        let (value, version) = self.entries.get(key)?;
        Some(Entry { value: Bytes::from(value.clone()), version: *version })
    }
}

async fn follow(mut subject: Subject, operations: Vec<Operation>) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for operation in operations {
        model.check(&mut subject, operation).await?;
    }
    subject.reopen().await;
    for key in KEYS {
        prop_assert_eq!(subject.store().get(key).await.unwrap(), model.entry(key), "at the end, {:?}", key);
    }
    Ok(())
}

/// Runs `cases` random lists of operations, the same ones each time.
fn run<F: Future<Output = Subject>>(cases: u32, subject: impl Fn() -> F) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let operations = prop::collection::vec(operation(), 1..60);
    let result =
        runner.run(&operations, |operations| runtime.block_on(async { follow(subject().await, operations).await }));
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn memory_is_like_a_map() {
    run(300, || async { Subject::Memory(MemoryStore::default()) });
}

#[test]
fn a_file_is_like_a_map() {
    run(40, Subject::file);
}
