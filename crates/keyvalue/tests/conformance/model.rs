//! Random operations on each embedded store and on a model of it, and on several stores of one backend, whatever they are
//! called: none has entries of another.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use libtest_mimic::{Failed, Trial};
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;
use tempo_keyvalue::testkit::model::{BackendUrls, ComponentBackends, KeyValueModel, SystemUnderTest, run};
use tempo_keyvalue::{File, FileStore, KeyValueStore, Memory, MemoryStore};
use tokio::runtime::{Builder, Runtime};

/// The model-based tests.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn(&Runtime) -> Result<()>| {
        Trial::test(format!("keyvalue::{name}"), move || {
            let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            run(&runtime).map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    vec![
        trial("memory::agrees_with_the_model", memory_agrees),
        trial("file::agrees_with_the_model", file_agrees),
        trial("memory::names_share_nothing", names_in_memory_share_nothing),
        trial("file::names_share_nothing", names_on_disk_share_nothing),
    ]
}

struct InMemory(MemoryStore);

#[async_trait]
impl SystemUnderTest for InMemory {
    type Model = KeyValueModel;

    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        Ok(vec![Arc::new(self.0.clone())])
    }
}

fn memory_agrees(runtime: &Runtime) -> Result<()> {
    run(runtime, 300, Just(()), |()| InMemory(MemoryStore::default()))
}

struct OnDisk {
    path: PathBuf,
    _folder: TempDir,
}

#[async_trait]
impl SystemUnderTest for OnDisk {
    type Model = KeyValueModel;

    async fn open(&mut self) -> Result<Vec<Arc<dyn KeyValueStore>>> {
        Ok(vec![Arc::new(FileStore::open(&self.path).await?)])
    }
}

fn file_agrees(runtime: &Runtime) -> Result<()> {
    let system = |()| {
        let folder = tempfile::tempdir().unwrap();
        OnDisk { path: folder.path().join("store.redb"), _folder: folder }
    };
    run(runtime, 40, Just(()), system)
}

/// Names of files in one directory, or the rest of a URL after `memory:`.
fn places() -> impl Strategy<Value = String> {
    let hard = ["a", "A", "ab", "a.redb", "a.redb.", "a b", "%61", "a%20b", "..a", "...", "\u{e4}", "a\u{308}", "=a"];
    prop_oneof![2 => select(hard.map(str::to_owned).to_vec()), 1 => "a[a-zA-Z0-9.%@#?=+ -]{1,20}"]
}

type Components = ComponentBackends<KeyValueModel, (Memory, File)>;

fn names_in_memory_share_nothing(runtime: &Runtime) -> Result<()> {
    let urls = BackendUrls::strategy(2..=3, places().prop_map(|place| format!("memory:{place}")));
    run(runtime, 200, urls, Components::volatile)
}

fn names_on_disk_share_nothing(runtime: &Runtime) -> Result<()> {
    let system = |mut urls: BackendUrls| {
        let folder = tempfile::tempdir().unwrap();
        for url in &mut urls.urls {
            *url = format!("file:{}", folder.path().join(&*url).display()).replace('?', "%3F");
        }
        Components::new(urls).with_guard(folder)
    };
    run(runtime, 40, BackendUrls::strategy(2..=3, places()), system)
}
