//! Blobstore: a copy ends with its request, through both interfaces.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use tempfile::TempDir;

use crate::support::{Client, Run, eventually};

/// The size of an object that no disk copies before the client disconnects, in bytes. It is sparse, so it takes almost
/// no space.
const OBJECT_BYTES: u64 = 256 << 30;
/// A copy beyond this size, in bytes, was not cancelled.
const MAX_COPIED_BYTES: u64 = 8 << 30;

/// Creates a sparse object as the file backend stores it.
fn object(directory: &Path) {
    let record = br#"{"name":"from","created":1,"etag":"e"}"#;
    let mut file = File::create(directory.join("from")).unwrap();
    file.set_len(OBJECT_BYTES).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(record).unwrap();
    file.write_all(&u32::try_from(record.len()).unwrap().to_le_bytes()).unwrap();
    file.write_all(b"TEMPOBL1").unwrap();
}

/// Returns the sizes of the files in `directory`.
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
        client.disconnect();
        eventually("the copy has ended", || {
            let sizes = sizes(&partial);
            assert!(sizes.iter().all(|size| *size < MAX_COPIED_BYTES), "{guest}{route} was not cancelled");
            sizes.is_empty().then_some(())
        });
        assert_eq!(sizes(&objects).len(), 1, "{guest}{route}");
        // A further request succeeds, so no copy permit leaked.
        assert_eq!(Client::connect(server.address).get("/checks").status, 200);
    }
}
