//! Every backend passes the suite.

use std::sync::Arc;

use tempo_wasi_blobstore::{File, Memory, conformance};

#[tokio::test]
async fn memory() {
    conformance::run(Arc::new(Memory::default())).await.unwrap();
}

#[tokio::test]
async fn file() {
    let folder = tempfile::tempdir().unwrap();
    conformance::run(Arc::new(File::open(folder.path()).unwrap())).await.unwrap();
}
