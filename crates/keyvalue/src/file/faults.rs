//! Tests of what happens when the disk fails or is full, and after it.

use std::path::PathBuf;
use std::sync::atomic::AtomicU8;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};
use tempfile::TempDir;

use super::disk::{Disk, System};
use super::*;

const WELL: u8 = 0;
/// Nothing can be written.
const FULL: u8 = 1;
/// What is written does not reach the disk.
const UNSYNCED: u8 = 2;
/// Nothing can be read or written.
const DEAD: u8 = 3;

#[derive(Clone, Debug, Default)]
struct State(Arc<AtomicU8>);

impl State {
    fn set(&self, state: u8) {
        self.0.store(state, Relaxed);
    }

    fn check(&self, failing: &[u8]) -> io::Result<()> {
        match self.0.load(Relaxed) {
            state if !failing.contains(&state) => Ok(()),
            FULL => Err(io::ErrorKind::StorageFull.into()),
            _ => Err(io::Error::other("injected")),
        }
    }
}

/// A disk that fails on demand.
struct Failing(State);

impl Disk for Failing {
    fn open(&self, path: &Path) -> std::result::Result<Database, DatabaseError> {
        let file = std::fs::File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let backend = Backend { file: FileBackend::new(file)?, state: self.0.clone() };
        // Little is kept in memory, so that reads are seen.
        Database::builder().set_cache_size(1 << 16).create_with_backend(backend)
    }

    fn probe(&self, path: &Path, size: usize) -> io::Result<()> {
        self.0.check(&[FULL, UNSYNCED, DEAD])?;
        System.probe(path, size)
    }
}

#[derive(Debug)]
struct Backend {
    file: FileBackend,
    state: State,
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.state.check(&[DEAD])?;
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.state.check(&[DEAD])?;
        self.file.set_len(length)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.state.check(&[UNSYNCED, DEAD])?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // A full disk has room for what is written over what is there.
        if offset > 0 {
            self.state.check(&[FULL])?;
        }
        self.state.check(&[DEAD])?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

async fn open() -> (TempDir, PathBuf, State, FileStore) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let state = State::default();
    let shared = open::shared(&path, None, Box::new(Failing(state.clone()))).await.unwrap();
    (folder, path, state, FileStore { shared })
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
    let (_folder, _, state, store) = open().await;
    set(&store, "before", 10_000).await.unwrap();
    assert_eq!(fault(&store), None);
    state.set(FULL);
    for _ in 0..3 {
        assert_eq!(set(&store, "during", 100_000).await, Err(ErrorKind::QuotaExceeded));
        assert!(fault(&store).unwrap().starts_with("keyvalue: store.redb cannot be written: "));
        assert_eq!(store.get("before").await.unwrap().unwrap().value.len(), 10_000, "it can be read all the time");
    }
    state.set(WELL);
    while set(&store, "after", 100_000).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fault(&store), None);
    assert_eq!(store.keys("", None, 10).await.unwrap(), ["after", "before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_comes_back_without_another_write() {
    for state_of_disk in [FULL, UNSYNCED, DEAD] {
        let (_folder, path, state, store) = open().await;
        set(&store, "before", 10_000).await.unwrap();
        state.set(state_of_disk);
        assert!(set(&store, "during", 100_000).await.is_err());
        assert!(fault(&store).is_some());
        state.set(WELL);
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
    let (_folder, _, state, store) = open().await;
    for number in 0..100 {
        set(&store, &number.to_string(), 10_000).await.unwrap();
    }
    state.set(DEAD);
    assert!(store.keys("", None, 1000).await.is_err());
    state.set(WELL);
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
    let (_folder, path, state, store) = open().await;
    set(&store, "before", 10).await.unwrap();
    state.set(FULL);
    set(&store, "during", 100_000).await.unwrap_err();
    drop(store);
    let store = FileStore::open(&path).await.unwrap();
    assert!(store.get("before").await.unwrap().is_some());
}
