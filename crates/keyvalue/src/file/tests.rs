//! What a database file promises besides the conformance suite.

use std::path::PathBuf;

use futures::StreamExt as _;
use futures::future::{join_all, try_join_all};
use redb::Database;
use tempfile::TempDir;
use tempo_settings::ErrorKind as Kind;

use super::*;

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    (folder, path)
}

async fn refused(path: &Path) -> tempo_settings::Error {
    FileStore::open(path).await.err().unwrap()
}

async fn set(store: &FileStore, key: &str, value: &'static str) -> Version {
    store.set(key, Bytes::from(value), None, Condition::Always).await.unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let deleted = set(&store, "deleted", "v").await;
    store.delete("deleted").await.unwrap();
    let kept = set(&store, "kept", "v").await;
    let hour = Some(Duration::from_secs(3600));
    store.set("hour", Bytes::new(), hour, Condition::Always).await.unwrap();
    store.set("moment", Bytes::new(), Some(Duration::from_millis(1)), Condition::Always).await.unwrap();
    drop(store);

    let store = FileStore::open(&path).await.unwrap();
    assert_eq!(store.get("kept").await.unwrap(), Some(Entry { value: "v".into(), version: kept }));
    assert_eq!(store.get("deleted").await.unwrap(), None);
    while store.get("moment").await.unwrap().is_some() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(store.keys("", None, 10).await.unwrap(), ["hour", "kept"]);
    let again = set(&store, "deleted", "v").await;
    assert!(again > kept && kept > deleted, "a version came back");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_at_once_are_all_there() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let write = |number: usize| {
        let store = store.clone();
        async move { store.set(&format!("{number:04}"), number.to_string().into(), None, Condition::Absent).await }
    };
    // More than wait in the queue.
    let versions = try_join_all((0..600).map(write)).await.unwrap();
    drop(store);
    let store = FileStore::open(&path).await.unwrap();
    for (number, version) in versions.into_iter().enumerate() {
        let expected = Entry { value: number.to_string().into(), version };
        assert_eq!(store.get(&format!("{number:04}")).await.unwrap(), Some(expected));
    }
    assert_eq!(store.keys("", None, 1000).await.unwrap().len(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_judges_each_condition_after_the_writes_before_it() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let attempt = || store.set("k", Bytes::new(), None, Condition::Absent);
    let outcomes = join_all((0..64).map(|_| attempt())).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_is_done_or_not_done() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    for number in 0..20 {
        let write = store.set("abandoned", number.to_string().into(), None, Condition::Always);
        let _ = tokio::time::timeout(Duration::ZERO, write).await;
    }
    set(&store, "last", "v").await;
    assert!(store.get("last").await.unwrap().is_some());
}

#[tokio::test]
async fn an_end_of_life_is_a_change() {
    let (_folder, path) = place();
    let store = FileStore::open(&path).await.unwrap();
    let mut changes = store.watch().await.unwrap();
    store.set("k", Bytes::new(), Some(Duration::from_millis(1)), Condition::Always).await.unwrap();
    drop(store);
    assert!(matches!(changes.next().await, Some(Ok(Change::Set { .. }))));
    assert_eq!(changes.next().await, Some(Ok(Change::Delete { key: "k".into() })));
}

/// A closed database file with something in it.
async fn closed(path: &Path) -> Vec<u8> {
    let store = FileStore::open(path).await.unwrap();
    for number in 0..50 {
        store.set(&number.to_string(), Bytes::from(vec![7; 2000]), None, Condition::Always).await.unwrap();
    }
    drop(store);
    // Its thread still has the lock for a moment.
    while Database::open(path).is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_damaged_file_is_left_as_it_is() {
    let (folder, path) = place();
    let whole = closed(&path).await;
    let mut damaged: Vec<Vec<u8>> =
        [100, 4096, 5000, whole.len() / 2].iter().map(|length| whole[..*length].to_vec()).collect();
    let mut scrambled = whole.clone();
    scrambled[20..300].fill(0x55);
    damaged.push(scrambled);
    for (number, content) in damaged.into_iter().enumerate() {
        let file = folder.path().join(number.to_string());
        std::fs::write(&file, &content).unwrap();
        let error = refused(&file).await;
        assert_eq!(error.kind(), Kind::NotFound, "{number}: {error}");
        assert!(std::fs::read(&file).unwrap() == content, "{number} was written to");
    }
}
