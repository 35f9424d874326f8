//! Tests of what happens when the disk fails or is full, and after it.

use std::path::PathBuf;

use tempfile::TempDir;
use tempo_backend::testkit::DiskFailure::{Dead, Full, None as Healthy, Unsynced};
use tempo_backend::testkit::FaultyDisk;

use super::*;

async fn open() -> (TempDir, PathBuf, FaultyDisk, FileStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let disk = FaultyDisk::default();
    let shared = open::shared(&path, None, Box::new(disk.clone())).await.unwrap();
    (folder, path, disk, FileStore { shared })
}

async fn set(store: &FileStore, key: &str, size: usize) -> std::result::Result<(), ErrorKind> {
    let written = store.set(key, vec![1; size].into(), None, Condition::Always).await;
    written.map(drop).map_err(|error| error.kind())
}

fn fault(store: &FileStore) -> Option<String> {
    store.shared.published.fault.reason()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_written_again_once_there_is_room() {
    let (_folder, _, disk, store) = open().await;
    set(&store, "before", 10_000).await.unwrap();
    assert_eq!(fault(&store), None);
    disk.set(Full);
    for _ in 0..3 {
        assert_eq!(set(&store, "during", 100_000).await, Err(ErrorKind::QuotaExceeded));
        assert!(fault(&store).unwrap().starts_with("keyvalue: store.redb cannot be written: "));
        assert_eq!(store.get("before").await.unwrap().unwrap().value.len(), 10_000, "it can be read all the time");
    }
    disk.set(Healthy);
    while set(&store, "after", 100_000).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fault(&store), None);
    assert_eq!(store.keys("", None, 10).await.unwrap(), ["after", "before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_comes_back_without_another_write() {
    for failure in [Full, Unsynced, Dead] {
        let (_folder, path, disk, store) = open().await;
        set(&store, "before", 10_000).await.unwrap();
        disk.set(failure);
        assert!(set(&store, "during", 100_000).await.is_err());
        assert!(fault(&store).is_some());
        disk.set(Healthy);
        while fault(&store).is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(store.get("before").await.unwrap().is_some());
        set(&store, "after", 10).await.unwrap();
        drop(store);
        // What was acknowledged is there, and the file is sound.
        let store = FileStore::open(&path).await.unwrap();
        let keys = store.keys("", None, 10).await.unwrap();
        assert!(keys.contains(&"before".into()) && keys.contains(&"after".into()), "{keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_fails_does_not_fail_those_after_it() {
    let (_folder, _, disk, store) = open().await;
    for number in 0..100 {
        set(&store, &number.to_string(), 10_000).await.unwrap();
    }
    disk.set(Dead);
    assert!(store.keys("", None, 1000).await.is_err());
    disk.set(Healthy);
    while store.keys("", None, 1000).await.is_err() {
        tokio::task::yield_now().await;
    }
    while set(&store, "after", 10).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fault(&store), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_ends_while_its_disk_is_full() {
    let (_folder, path, disk, store) = open().await;
    set(&store, "before", 10).await.unwrap();
    disk.set(Full);
    set(&store, "during", 100_000).await.unwrap_err();
    drop(store);
    let store = FileStore::open(&path).await.unwrap();
    assert!(store.get("before").await.unwrap().is_some());
}
