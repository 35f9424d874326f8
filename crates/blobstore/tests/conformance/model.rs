//! Random operations on each embedded container and on a model of it, and on several containers of one backend, whatever they
//! are called: none has objects of another.

use std::sync::Arc;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use libtest_mimic::{Failed, Trial};
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;
use tempo_blobstore::testkit::model::{BackendUrls, BlobstoreModel, ComponentBackends, SystemUnderTest, run};
use tempo_blobstore::{Container, File, Memory};
use tokio::runtime::{Builder, Runtime};

/// The model-based tests.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn(&Runtime) -> Result<()>| {
        Trial::test(format!("blobstore::{name}"), move || {
            let runtime = Builder::new_multi_thread().worker_threads(1).build()?;
            run(&runtime).map_err(|error| Failed::from(format!("{error:#}")))
        })
    };
    let refused = Trial::test("blobstore::file::a_container_among_the_files_of_another_is_refused", || {
        a_container_among_the_files_of_another_is_refused();
        Ok(())
    });
    vec![
        trial("memory::agrees_with_the_model", memory_agrees),
        trial("file::agrees_with_the_model", directory_agrees),
        trial("memory::names_share_nothing", names_in_memory_share_nothing),
        trial("file::names_share_nothing", names_on_disk_share_nothing),
        refused,
    ]
}

struct InMemory(Arc<dyn Container>);

#[async_trait]
impl SystemUnderTest for InMemory {
    type Model = BlobstoreModel;

    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>> {
        Ok(vec![self.0.clone()])
    }
}

fn memory_agrees(runtime: &Runtime) -> Result<()> {
    run(runtime, 256, Just(()), |()| InMemory(Arc::new(Memory::default())))
}

struct OnDisk(TempDir);

#[async_trait]
impl SystemUnderTest for OnDisk {
    type Model = BlobstoreModel;

    /// Opens what a process left that died during an upload.
    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>> {
        let left = self.0.path().join("partial/left");
        if self.0.path().join("partial").exists() {
            std::fs::write(&left, b"half")?;
        }
        let container = File::open(self.0.path())?;
        ensure!(!left.exists(), "what a dead process left is still there");
        Ok(vec![Arc::new(container)])
    }
}

fn directory_agrees(runtime: &Runtime) -> Result<()> {
    run(runtime, 48, Just(()), |()| OnDisk(tempfile::tempdir().unwrap()))
}

type Components = ComponentBackends<BlobstoreModel, (Memory, File)>;

fn names_in_memory_share_nothing(runtime: &Runtime) -> Result<()> {
    let size = select(["", "64MiB", "512MiB", "1GiB", "1048576KiB"].map(str::to_owned).to_vec());
    let urls = BackendUrls::strategy(2..=3, size.prop_map(|size| format!("memory:{size}")));
    run(runtime, 200, urls, Components::volatile)
}

fn names_on_disk_share_nothing(runtime: &Runtime) -> Result<()> {
    let hard = ["a", "A", "ab", "a.b", "a.", "a b", "%61", "a%20b", "..a", "...", "\u{e4}", "a\u{308}", "=a", "a/b"];
    let places = prop_oneof![2 => select(hard.map(str::to_owned).to_vec()), 1 => "a[a-zA-Z0-9.%@#?=+ -]{1,20}"];
    let system = |mut urls: BackendUrls| {
        let folder = tempfile::tempdir().unwrap();
        for url in &mut urls.urls {
            *url = format!("file:{}", folder.path().join(&*url).display()).replace('?', "%3F");
        }
        Components::new(urls).with_guard(folder)
    };
    run(runtime, 48, BackendUrls::strategy(2..=3, places), system)
}

/// Two directories of which one keeps its objects where the other does are not both containers, in whatever order.
fn a_container_among_the_files_of_another_is_refused() {
    let orders = [("", "objects"), ("", "partial"), ("", "objects/a"), ("", "objects/a/b")];
    for (first, second) in orders.into_iter().chain([("objects", ""), ("partial", "")]) {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [first, second].map(|place| folder.path().join("a").join(place));
        File::open(&first).unwrap();
        let error = File::open(&second).expect_err("both were opened");
        assert!(error.to_string().contains("another container"), "{error}");
        File::open(&first).unwrap();
    }
    // Those beside each other, and in a directory that is merely called so, have nothing to do with each other.
    let folder = tempfile::tempdir().unwrap();
    for place in ["a", "a/b", "objects", "partial/a", "a/b/c"] {
        File::open(&folder.path().join(place)).unwrap();
    }
}
