//! Random operations on each embedded backend, against a map: whatever the order, both must say the same. And on several
//! containers of one backend, whatever they are called: none has what was put into another.
#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

use std::sync::Arc;

use anyhow::{Result, ensure};
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::select;
use tempfile::TempDir;
use tempo_blobstore::testkit::model::{Components, Names, Subject, run};
use tempo_blobstore::{Container, File, Memory};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

struct InMemory(Arc<dyn Container>);

#[async_trait]
impl Subject for InMemory {
    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>> {
        Ok(vec![self.0.clone()])
    }
}

#[test]
fn memory_is_like_a_map() {
    run(&runtime(), 256, Just(()), |()| InMemory(Arc::new(Memory::default()))).unwrap();
}

struct OnDisk(TempDir);

#[async_trait]
impl Subject for OnDisk {
    /// What is opened again is what a process left that died during an upload.
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

#[test]
fn a_directory_is_like_a_map() {
    run(&runtime(), 48, Just(()), |()| OnDisk(tempfile::tempdir().unwrap())).unwrap();
}

#[test]
fn names_in_memory_share_nothing() {
    let size = select(["", "64MiB", "512MiB", "1GiB", "1048576KiB"].map(str::to_owned).to_vec());
    let names = Names::of(2..=3, size.prop_map(|size| format!("memory:{size}")));
    run(&runtime(), 200, names, Components::<(Memory, File)>::forgetful).unwrap();
}

/// The directories of one case go with the one that they are in.
struct Directories {
    components: Components<(Memory, File)>,
    _folder: TempDir,
}

#[async_trait]
impl Subject for Directories {
    async fn open(&mut self) -> Result<Vec<Arc<dyn Container>>> {
        self.components.open().await
    }

    fn names(&self) -> Vec<String> {
        self.components.names()
    }
}

fn directories(cases: u32, places: impl Strategy<Value = String>) {
    let subject = |mut names: Names| {
        let folder = tempfile::tempdir().unwrap();
        for url in &mut names.urls {
            *url = format!("file:{}", folder.path().join(&*url).display()).replace('?', "%3F");
        }
        Directories { components: Components::new(names), _folder: folder }
    };
    run(&runtime(), cases, Names::of(2..=3, places), subject).unwrap();
}

#[test]
fn names_on_disk_share_nothing() {
    let hard = ["a", "A", "ab", "a.b", "a.", "a b", "%61", "a%20b", "..a", "...", "\u{e4}", "a\u{308}", "=a", "a/b"];
    directories(48, prop_oneof![2 => select(hard.map(str::to_owned).to_vec()), 1 => "a[a-zA-Z0-9.%@#?=+ -]{1,20}"]);
}

/// Two directories of which one keeps its objects where the other does are not both containers, in whatever order.
#[test]
fn a_container_among_the_files_of_another_is_refused() {
    let orders = [("", "objects"), ("", "partial"), ("", "objects/a"), ("", "objects/a/b")];
    for (first, second) in orders.into_iter().chain([("objects", ""), ("partial", "")]) {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = [first, second].map(|place| folder.path().join("a").join(place));
        File::open(&first).unwrap();
        let error = File::open(&second).err().expect("both were opened");
        assert!(error.to_string().contains("another container"), "{error}");
        File::open(&first).unwrap();
    }
    // Those beside each other, and in a directory that is merely called so, have nothing to do with each other.
    let folder = tempfile::tempdir().unwrap();
    for place in ["a", "a/b", "objects", "partial/a", "a/b/c"] {
        File::open(&folder.path().join(place)).unwrap();
    }
}
