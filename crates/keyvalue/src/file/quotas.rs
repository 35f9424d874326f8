//! Tests of quotas: exact at their edges, after a restart, and among writers at once.

use futures::future::join_all;
use tempfile::TempDir;

use super::*;

/// What an entry costs besides its key and value.
const OVERHEAD: u64 = 64;

async fn open(folder: &TempDir, quota: u64) -> FileStore {
    let path = folder.path().join("store.redb");
    loop {
        match FileStore::with_quota(&path, quota).await {
            Ok(store) => return store,
            // The store before is being closed.
            Err(error) if error.to_string().contains("another quota") => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn set(store: &FileStore, key: &str, size: usize) -> std::result::Result<(), ErrorKind> {
    let written = store.set(key, vec![1; size].into(), None, Condition::Always).await;
    written.map(drop).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_quota_holds_at_its_edge_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let quota = 2 * (OVERHEAD + 1) + 1000;
    let mut store = open(&folder, quota).await;
    assert_eq!(set(&store, "a", 500).await, Ok(()));
    for reopened in [false, true] {
        if reopened {
            drop(store);
            store = open(&folder, quota).await;
        }
        assert_eq!(set(&store, "b", 501).await, Err(ErrorKind::QuotaExceeded));
        assert_eq!(set(&store, "b", 499).await, Ok(()));
        assert_eq!(set(&store, "b", 500).await, Ok(()), "what is replaced is not counted");
        assert_eq!(set(&store, "b", 501).await, Err(ErrorKind::QuotaExceeded));
        assert_eq!(set(&store, "c", 0).await, Err(ErrorKind::QuotaExceeded));
        assert_eq!(store.get("b").await.unwrap().unwrap().value.len(), 500);
        store.delete("b").await.unwrap();
    }
    assert_eq!(set(&store, "b", 500).await, Ok(()), "what was deleted has given its room back");
}

#[tokio::test]
async fn less_than_is_stored_allows_what_makes_it_less() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = FileStore::open(&path).await.unwrap();
    for key in ["a", "b", "c"] {
        set(&store, key, 1000).await.unwrap();
    }
    drop(store);
    let store = open(&folder, 1200).await;
    assert_eq!(set(&store, "d", 1).await, Err(ErrorKind::QuotaExceeded));
    assert_eq!(set(&store, "a", 1001).await, Err(ErrorKind::QuotaExceeded));
    assert_eq!(set(&store, "a", 1000).await, Ok(()));
    assert_eq!(store.get("c").await.unwrap().unwrap().value.len(), 1000);
    for key in ["b", "c"] {
        store.delete(key).await.unwrap();
    }
    assert_eq!(set(&store, "d", 1).await, Ok(()));
}

#[tokio::test]
async fn what_another_version_wrote_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = open(&folder, 1000).await;
    set(&store, "a", 100).await.unwrap();
    drop(store);
    // Without a quota nothing is counted, as by versions that knew none.
    let store = FileStore::open(&path).await;
    let store = match store {
        Ok(store) => store,
        Err(_) => loop {
            if let Ok(store) = FileStore::open(&path).await {
                break store;
            }
            tokio::task::yield_now().await;
        },
    };
    set(&store, "b", 700).await.unwrap();
    drop(store);
    let store = open(&folder, 1000).await;
    assert_eq!(set(&store, "c", 1000 - 800 - 3 * 65 + 1).await, Err(ErrorKind::QuotaExceeded));
    assert_eq!(set(&store, "c", 1000 - 800 - 3 * 65).await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_do_not_exceed_it_together() {
    let folder = tempfile::tempdir().unwrap();
    let each = OVERHEAD + 3 + 100;
    let store = open(&folder, 40 * each + each - 1).await;
    let outcomes = join_all((100..200).map(|number| {
        let store = store.clone();
        async move { set(&store, &number.to_string(), 100).await }
    }))
    .await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 40);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(ErrorKind::QuotaExceeded))));
    assert_eq!(store.keys("", None, 1000).await.unwrap().len(), 40);
}

#[tokio::test]
async fn expired_entries_give_their_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder, OVERHEAD + 1 + 100).await;
    let soon = Some(Duration::from_millis(1));
    store.set("a", vec![1; 100].into(), soon, Condition::Always).await.unwrap();
    while set(&store, "b", 100).await.is_err() {}
    assert_eq!(store.keys("", None, 10).await.unwrap(), ["b"]);
}
