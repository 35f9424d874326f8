//! Blobstore: a copy ends with the request that asked for it, through both interfaces.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Client, Run, eventually};

/// What no disk copies while a client leaves. It takes next to nothing, as there is nothing in it.
const SIZE: u64 = 256 << 30;
/// A copy that goes on for longer than this was not ended, in bytes.
const TOO_MUCH: u64 = 8 << 30;

/// An object without data, as a container keeps it.
fn object(directory: &Path) {
    let record = br#"{"name":"from","created":1,"etag":"e"}"#;
    let mut file = File::create(directory.join("from")).unwrap();
    file.set_len(SIZE).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(record).unwrap();
    file.write_all(&u32::try_from(record.len()).unwrap().to_le_bytes()).unwrap();
    file.write_all(b"TEMPOBL1").unwrap();
}

/// The sizes of the files in `directory`.
fn sizes(directory: &Path) -> Vec<u64> {
    let entries = fs::read_dir(directory).unwrap();
    entries.filter_map(|entry| entry.unwrap().metadata().ok()).map(|metadata| metadata.len()).collect()
}

#[test]
fn a_copy_ends_with_its_request_and_leaves_nothing_behind() {
    for (guest, route) in
        [("blobstore-conformance", "/copy"), ("blobstore-draft", "/copy"), ("blobstore-draft", "/move")]
    {
        let directory = TempDir::new().unwrap();
        let (objects, partial) = (directory.path().join("objects"), directory.path().join("partial"));
        let url = format!("file:{}", directory.path().display());
        let run = Run::guest(guest).args(["--blobstore", &url, "--request-timeout", "10m", "--cpu-timeout", "10m"]);
        let server = run.serve();
        object(&objects);
        let mut client = Client::connect(server.address);
        client.start("POST", route, &["Content-Length: 0"]);
        eventually("the copy has begun", || sizes(&partial).iter().any(|size| *size > 0).then_some(()));
        client.vanish();
        eventually("the copy has ended", || {
            let sizes = sizes(&partial);
            assert!(sizes.iter().all(|size| *size < TOO_MUCH), "{guest}{route} goes on");
            sizes.is_empty().then_some(())
        });
        assert_eq!(sizes(&objects).len(), 1, "{guest}{route}");
        // The next one is served, and so none of the places to copy is lost.
        assert_eq!(Client::connect(server.address).get("/checks").status, 200);
    }
}
