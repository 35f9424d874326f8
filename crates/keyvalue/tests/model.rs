//! Random operations on each embedded backend, against a map: whatever the order, both must say the same. And on several
//! stores of one backend, whatever they are called: none has what was written to another.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;
use tempo_keyvalue::testkit::model::{Components, Names, Subject, run};
use tempo_keyvalue::{File, FileStore, KeyValueStore, Memory, MemoryStore};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

struct InMemory(MemoryStore);

#[async_trait]
impl Subject for InMemory {
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        Ok(vec![Arc::new(self.0.clone())])
    }
}

#[test]
fn memory_is_like_a_map() {
    run(&runtime(), 300, Just(()), |()| InMemory(MemoryStore::default())).unwrap();
}

struct OnDisk {
    path: PathBuf,
    _folder: TempDir,
}

#[async_trait]
impl Subject for OnDisk {
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        Ok(vec![Arc::new(FileStore::open(&self.path).await?)])
    }
}

#[test]
fn a_file_is_like_a_map() {
    let subject = |()| {
        let folder = tempfile::tempdir().unwrap();
        OnDisk { path: folder.path().join("store.redb"), _folder: folder }
    };
    run(&runtime(), 40, Just(()), subject).unwrap();
}

/// Names of files in one directory, or what follows `memory:`.
fn places() -> impl Strategy<Value = String> {
    let hard = ["a", "A", "ab", "a.redb", "a.redb.", "a b", "%61", "a%20b", "..a", "...", "\u{e4}", "a\u{308}", "=a"];
    prop_oneof![2 => select(hard.map(str::to_owned).to_vec()), 1 => "a[a-zA-Z0-9.%@#?=+ -]{1,20}"]
}

#[test]
fn names_in_memory_share_nothing() {
    let names = Names::of(2..=3, places().prop_map(|place| format!("memory:{place}")));
    run(&runtime(), 200, names, Components::<(Memory, File)>::forgetful).unwrap();
}

/// The files of one case go with their directory.
struct Files {
    components: Components<(Memory, File)>,
    _folder: TempDir,
}

#[async_trait]
impl Subject for Files {
    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        self.components.open().await
    }

    fn keys(&self) -> Vec<String> {
        self.components.keys()
    }
}

#[test]
fn names_on_disk_share_nothing() {
    let subject = |mut names: Names| {
        let folder = tempfile::tempdir().unwrap();
        for url in &mut names.urls {
            *url = format!("file:{}", folder.path().join(&*url).display()).replace('?', "%3F");
        }
        Files { components: Components::new(names), _folder: folder }
    };
    run(&runtime(), 40, Names::of(2..=3, places()), subject).unwrap();
}
