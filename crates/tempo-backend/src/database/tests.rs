//! Tests of a database file with a writer that counts its requests.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use redb::{Database, ReadableDatabase as _, TableDefinition};
use tempfile::TempDir;
use tempo_settings::ErrorKind;
use tokio::sync::{mpsc, oneshot};

use super::*;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("counting");

static DATABASES: LazyLock<Databases<Counter>> = LazyLock::new(|| Databases::new("counting"));

/// Counts its requests in a database.
struct Counter {
    requests: mpsc::Sender<oneshot::Sender<u64>>,
    loaded: u64,
    _thread: WriterThread,
}

impl Counter {
    async fn increment(&self) -> u64 {
        let (reply, answer) = oneshot::channel();
        self.requests.send(reply).await.unwrap();
        answer.await.unwrap()
    }
}

fn count(database: &Database) -> std::result::Result<u64, Error> {
    Ok(database.begin_read()?.open_table(META)?.get("count")?.map_or(0, |count| count.value()))
}

fn increment(database: &Database) -> std::result::Result<u64, Error> {
    let next = count(database)? + 1;
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert("count", next)?;
    transaction.commit()?;
    Ok(next)
}

async fn open_with(path: &Path, quota: Option<u64>) -> tempo_settings::Result<Arc<Counter>> {
    let (requests, mut receiver) = mpsc::channel::<oneshot::Sender<u64>>(MAX_QUEUED_REQUESTS);
    let start = move |_file: DatabaseFile, database: Database| {
        prepare(&database, META, |_| Ok(()))?;
        let loaded = count(&database)?;
        let run = move || {
            while let Some(first) = receiver.blocking_recv() {
                for reply in group(first, &mut receiver, |_| 0).0 {
                    let _ = reply.send(increment(&database).unwrap());
                }
            }
        };
        Ok((loaded, run))
    };
    let share = |loaded, thread| Counter { requests, loaded, _thread: thread };
    DATABASES.open(path, quota, Box::new(SystemDisk::new(1 << 20)), start, share).await
}

async fn open(path: &Path) -> Arc<Counter> {
    open_with(path, None).await.unwrap()
}

async fn refused(path: &Path) -> tempo_settings::Error {
    open_with(path, None).await.err().unwrap()
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("count.redb");
    (folder, path)
}

#[tokio::test]
async fn accepted_requests_are_committed_before_the_file_is_opened_again() {
    let (_folder, path) = place();
    let counter = open(&path).await;
    assert_eq!((counter.increment().await, counter.increment().await), (1, 2));
    // The caller gives up; the request stays.
    let (reply, _) = oneshot::channel();
    counter.requests.try_send(reply).unwrap();
    drop(counter);
    assert_eq!(open(&path).await.loaded, 3);
}

#[test]
fn a_database_closes_without_a_runtime() {
    let (_folder, path) = place();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let counter = runtime.block_on(open(&path));
    drop(runtime);
    drop(counter);
    Database::open(&path).expect("the thread was joined, and the lock is free");
}

#[tokio::test]
async fn one_path_is_one_database() {
    let (folder, path) = place();
    let (one, two) = tokio::join!(open(&path), open(&path));
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let three = open(&folder.path().join("sub/../count.redb")).await;
    assert!(Arc::ptr_eq(&one, &two) && Arc::ptr_eq(&one, &three));
    let error = open_with(&path, Some(1)).await.err().unwrap().to_string();
    assert!(error.ends_with("count.redb is open with another quota"), "{error}");
}

#[tokio::test]
async fn a_file_that_is_open_elsewhere_is_named() {
    let (_folder, path) = place();
    // The lock is on the open file, so this is what another process looks like.
    let other = Database::create(&path).unwrap();
    let error = refused(&path).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    drop(other);
    // It was no database of this service, but it was empty.
    open(&path).await;
}

#[tokio::test]
async fn a_file_that_is_no_such_database_is_left_as_it_is() {
    let (folder, _) = place();
    for (name, content) in [("text", b"not a database".to_vec()), ("zeros", vec![0; 100_000])] {
        let file = folder.path().join(name);
        std::fs::write(&file, &content).unwrap();
        let error = refused(&file).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(&format!("{name} is not a counting database")), "{error}");
        assert!(std::fs::read(&file).unwrap() == content, "{name} was written to");
    }
    let foreign = folder.path().join("foreign.redb");
    let table: TableDefinition<'_, &str, &str> = TableDefinition::new("theirs");
    let theirs = Database::create(&foreign).unwrap();
    let transaction = theirs.begin_write().unwrap();
    transaction.open_table(table).unwrap();
    transaction.commit().unwrap();
    drop(theirs);
    let error = refused(&foreign).await;
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("another program"), "{error}");
    let theirs = Database::create(&foreign).unwrap();
    assert_eq!(theirs.begin_write().unwrap().list_tables().unwrap().count(), 1);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let (folder, _) = place();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = refused(&file.join("below/count.redb")).await;
    assert_eq!(error.kind(), ErrorKind::CannotWrite);
    assert!(error.to_string().contains("file/below"), "{error}");
    let error = refused(folder.path()).await;
    assert_eq!(error.kind(), ErrorKind::CannotWrite, "a directory is no file: {error}");
}

#[test]
fn a_pause_lasts_longer_than_the_attempt_before_it() {
    assert_eq!(retry_pause(Instant::now()), MIN_RETRY_PAUSE);
    let Some(begun) = Instant::now().checked_sub(Duration::from_secs(1)) else { return };
    assert!(retry_pause(begun) >= Duration::from_secs(4));
}
