//! What a directory shows that the suite for all backends cannot see: what is left behind, and what is damaged.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};

use super::*;

fn files(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}

async fn put(file: &File, name: &str, data: &'static [u8]) -> ObjectInfo {
    let mut upload = file.put(name, PutOptions::default()).await.unwrap();
    upload.write(Bytes::from_static(data)).await.unwrap();
    upload.complete().await.unwrap()
}

#[tokio::test]
async fn objects_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b");
    let info = put(&File::open(&path).unwrap(), "n", b"data").await;
    let reopened = File::open(&path).unwrap();
    assert_eq!(reopened.stat("n").await.unwrap(), Some(info));
    assert_eq!(files(&path.join("partial")), 0);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    let mut upload = file.put("n", PutOptions::default()).await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    let partial = folder.path().join("partial");
    assert_eq!(files(&partial), 1);
    drop(upload);
    while files(&partial) > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(files(&folder.path().join("objects")), 0);
}

#[tokio::test]
async fn what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    put(&file, "n", b"old").await;
    let mut upload = file.put("n", PutOptions::default()).await.unwrap();
    upload.write(Bytes::from_static(b"new")).await.unwrap();
    let partial = folder.path().join("partial");
    fs::write(partial.join("left"), b"half an object").unwrap();

    let other = File::open(folder.path()).unwrap();
    assert!(!partial.join("left").exists());
    assert_eq!(files(&partial), 1);
    assert_eq!(other.stat("n").await.unwrap().unwrap().size, 3);
    upload.complete().await.unwrap();
    let (_, mut data) = other.get("n", None).await.unwrap();
    assert_eq!(data.next().await.unwrap().unwrap(), "new");
}

#[tokio::test]
async fn an_upload_whose_file_was_taken_away_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    let upload = file.put("n", PutOptions::default()).await.unwrap();
    for entry in fs::read_dir(folder.path().join("partial")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    assert_eq!(upload.complete().await.unwrap_err().kind(), ErrorKind::Other);
    assert_eq!(file.stat("n").await.unwrap(), None);
}

#[tokio::test]
async fn a_damaged_file_is_an_error_and_not_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    put(&file, "n", b"data").await;
    let path = folder.path().join("objects/n");
    let whole = fs::read(&path).unwrap();
    for length in [0, 3, 11, 12, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(file.stat("n").await.unwrap_err().kind(), ErrorKind::Other, "{length}");
    }
    fs::write(folder.path().join("objects/other"), &whole).unwrap();
    assert_eq!(file.stat("other").await.unwrap_err().kind(), ErrorKind::Other);
}

#[tokio::test]
async fn a_file_that_shrinks_under_its_reader_is_an_error_and_not_a_short_body() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    put(&file, "n", b"data").await;
    let (_, data) = file.get("n", None).await.unwrap();
    fs::OpenOptions::new().write(true).open(folder.path().join("objects/n")).unwrap().set_len(2).unwrap();
    assert!(data.try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test]
async fn what_is_read_is_the_same_whether_it_was_in_memory_or_not() {
    const SIZE: usize = 1 << 20;
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
    let mut upload = file.put("n", PutOptions::default()).await.unwrap();
    upload.write(bytes.clone().into()).await.unwrap();
    upload.complete().await.unwrap();
    for forgotten in [false, true] {
        if forgotten {
            forget(&folder.path().join("objects/n"));
        }
        let range = ByteRange { offset: 3, length: Some(SIZE as u64 - 7) };
        let (_, data) = file.get("n", Some(range)).await.unwrap();
        // All chunks are held: none is written over.
        let chunks: Vec<Bytes> = data.try_collect().await.unwrap();
        assert!(chunks.concat() == bytes[3..SIZE - 4], "forgotten: {forgotten}");
    }
}

/// Has the system forget what it has in memory of the file, if it can.
fn forget(path: &Path) {
    #[cfg(target_os = "linux")]
    rustix::fs::fadvise(fs::File::open(path).unwrap(), 0, None, rustix::fs::Advice::DontNeed).unwrap();
    let _ = path;
}

#[tokio::test]
async fn files_of_another_origin_are_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let file = File::open(folder.path()).unwrap();
    put(&file, "n", b"data").await;
    fs::write(folder.path().join("objects/.DS_Store"), b"").unwrap();
    let names: Vec<_> = file.list("", None, 10).await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["n"]);
}
