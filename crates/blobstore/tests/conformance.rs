//! Every backend passes the suite.

use std::sync::Arc;

use tempo_blobstore::{File, Memory, testkit};

#[tokio::test]
async fn memory() {
    testkit::run(Arc::new(Memory::default())).await.unwrap();
}

#[tokio::test]
async fn file() {
    let folder = tempfile::tempdir().unwrap();
    testkit::run(Arc::new(File::open(folder.path()).unwrap())).await.unwrap();
}
