//! Tests of quotas, of copies that are not waited for, and of who may read the files.

use bytes::Bytes;
use futures::future::join_all;
use tempo_telemetry::RuntimePhase;

use super::*;

const BLOCK: u64 = 4096;

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

async fn put(file: &File, name: &str, size: u64) -> std::result::Result<(), ErrorKind> {
    let written = async {
        let mut upload = file.put(name, PutOptions::default()).await?;
        upload.write(Bytes::from(vec![1; usize::try_from(size).unwrap()])).await?;
        upload.complete().await
    };
    written.await.map(drop).map_err(|error| error.kind())
}

/// What an object's file has besides its data, in bytes.
async fn record(name: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    put(&File::open(folder.path()).unwrap(), name, 0).await.unwrap();
    fs::metadata(folder.path().join("objects").join(name)).unwrap().len()
}

/// Waits until what was dropped is removed.
async fn settled(folder: &Path) {
    while files(&folder.join("partial")) > 0 {
        tokio::task::yield_now().await;
    }
}

/// Opens the container anew, once the one before is gone.
fn reopened(folder: &Path, quota: u64) -> File {
    File::with_quota(folder, quota).unwrap()
}

#[tokio::test]
async fn a_quota_holds_at_its_edge_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (quota, record) = (3 * BLOCK, record("a").await);
    // The file of the largest object ends where a block ends.
    let most = 2 * BLOCK - record;
    let mut file = File::with_quota(folder.path(), quota).unwrap();
    put(&file, "a", 1).await.unwrap();
    for again in [false, true] {
        if again {
            drop(file);
            file = reopened(folder.path(), quota);
        }
        assert_eq!(put(&file, "b", most + 1).await, Err(ErrorKind::QuotaExceeded));
        settled(folder.path()).await;
        while put(&file, "b", most - 1).await.is_err() {
            tokio::task::yield_now().await;
        }
        file.delete("b").await.unwrap();
        assert_eq!(put(&file, "b", most).await, Ok(()));
        assert_eq!(put(&file, "c", 0).await, Err(ErrorKind::QuotaExceeded));
        assert_eq!(file.copy("a", "c").await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
        settled(folder.path()).await;
        assert_eq!(file.stat("b").await.unwrap().unwrap().size, most);
        file.delete("b").await.unwrap();
    }
}

#[tokio::test]
async fn uploads_under_way_count_and_what_is_replaced_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::with_quota(folder.path(), 3 * BLOCK).unwrap();
    put(&file, "a", 1).await.unwrap();
    let mut upload = file.put("b", PutOptions::default()).await.unwrap();
    upload.write(vec![1; 5000].into()).await.unwrap();
    assert_eq!(put(&file, "c", 1).await, Err(ErrorKind::QuotaExceeded));
    drop(upload);
    settled(folder.path()).await;
    for _ in 0..10 {
        // Both are there for a moment.
        while put(&file, "a", 5000).await.is_err() {
            tokio::task::yield_now().await;
        }
        file.delete("a").await.unwrap();
    }
}

#[tokio::test]
async fn less_than_is_stored_allows_what_makes_it_less() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    for name in ["a", "b", "c"] {
        put(&file, name, 10).await.unwrap();
    }
    drop(file);
    let file = reopened(folder.path(), 2 * BLOCK);
    assert_eq!(put(&file, "d", 1).await, Err(ErrorKind::QuotaExceeded));
    assert_eq!(file.stat("a").await.unwrap().unwrap().size, 10);
    for name in ["a", "b"] {
        file.delete(name).await.unwrap();
    }
    settled(folder.path()).await;
    while put(&file, "d", 1).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(File::open(folder.path()).is_err(), "one directory has one quota");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_at_once_do_not_exceed_it_together() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::with_quota(folder.path(), 20 * BLOCK).unwrap();
    let outcomes = join_all((0..60).map(|number| {
        let file = &file;
        async move { put(file, &number.to_string(), 3000).await }
    }))
    .await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Ok(()) | Err(ErrorKind::QuotaExceeded))));
    settled(folder.path()).await;
    assert!(files(&folder.path().join("objects")) <= 20);
    // Those that were refused have given back what they had: there is room for exactly 20.
    for number in 60..80 {
        while files(&folder.path().join("objects")) < 20 && put(&file, &number.to_string(), 3000).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(files(&folder.path().join("objects")), 20);
    assert_eq!(put(&file, "more", 0).await, Err(ErrorKind::QuotaExceeded));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_nobody_waits_for_ends_and_leaves_nothing_behind() {
    use std::io::{Seek as _, Write as _};

    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    // More than is copied while this looks, without taking room.
    let info = record::info("large", 1 << 38, PutOptions::default()).unwrap();
    let mut large = fs::File::create(folder.path().join("objects/large")).unwrap();
    large.set_len(info.size).unwrap();
    large.seek(SeekFrom::End(0)).unwrap();
    large.write_all(&object::write_record(&info).unwrap()).unwrap();
    for polls in 1..5 {
        let mut copy = file.copy("large", "to");
        for _ in 0..polls {
            assert!(futures::poll!(&mut copy).is_pending());
            tokio::task::yield_now().await;
        }
        drop(copy);
        settled(folder.path()).await;
        assert_eq!(file.stat("to").await.unwrap(), None);
    }
    put(&file, "from", 2 * COPY_PIECE_BYTES + 1).await.unwrap();
    assert_eq!(file.copy("from", "to").await.unwrap().size, 2 * COPY_PIECE_BYTES + 1);
    assert_eq!(files(&folder.path().join("partial")), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_tells_a_full_disk_from_one_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let file = Arc::new(File::open(folder.path()).unwrap());
    let health = Health::default();
    health.enter(RuntimePhase::Ready);
    file.show(&health, Handle::current());
    assert_eq!(health.not_ready(), None);
    let full = io::Error::from(io::ErrorKind::StorageFull);
    assert_eq!(file.directory.failed("write", &full).kind(), ErrorKind::QuotaExceeded);
    assert!(health.not_ready().unwrap().starts_with("blobstore: "));
    // It is seen when it is asked that there is room.
    while health.not_ready().is_some() {
        tokio::task::yield_now().await;
    }
    // What is asked in vain of a disk that is well is no fault of its.
    assert_eq!(file.directory.failed("write", &io::ErrorKind::NotFound.into()).kind(), ErrorKind::NoSuchObject);
    assert_eq!(health.not_ready(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn no_other_user_may_read_objects() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let file = File::open(&path).unwrap();
    put(&file, "n", 1).await.unwrap();
    for (made, mode) in [("", 0o700), ("objects", 0o700), ("partial", 0o700), ("objects/n", 0o600)] {
        assert_eq!(fs::metadata(path.join(made)).unwrap().permissions().mode() & 0o777, mode, "{made}");
    }
}
