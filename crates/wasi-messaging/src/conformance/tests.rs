//! The suite passes brokers that conform, and fails those that do not.

use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::{FileBroker, MemoryBroker};

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let brokers: Mutex<HashMap<String, MemoryBroker>> = Mutex::default();
    let open = |word: String| {
        let broker = brokers.lock().unwrap().entry(word).or_default().clone();
        async move { Ok(Arc::new(broker) as Arc<dyn Broker>) }
    };
    run(open, Guarantees::ALL).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let open = |word: String| {
        let path = folder.path().join(word);
        async move { Ok(Arc::new(FileBroker::open(&path).await?) as Arc<dyn Broker>) }
    };
    run(open, Guarantees::ALL).await.unwrap();
}
