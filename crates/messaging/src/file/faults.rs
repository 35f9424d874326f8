//! Tests of what happens when the disk fails or is full, and after it; and of quotas.

use std::path::PathBuf;

use bytes::Bytes;
use tempfile::TempDir;
use tempo_backend::testkit::{DiskFailure, FaultyDisk};

use super::*;
use crate::{Consumer, Message, Subscription};

async fn open() -> (TempDir, PathBuf, FaultyDisk, FileBroker) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.redb");
    let disk = FaultyDisk::default();
    let engine = open::shared(&path, DEFAULT_CAPACITY_BYTES, Clock::default(), Box::new(disk.clone())).await.unwrap();
    (folder, path, disk, FileBroker { engine })
}

fn message(payload: &'static str) -> Message {
    Message { topic: "a".into(), payload: Bytes::from(payload), ..Message::default() }
}

async fn publish(broker: &FileBroker, payload: &'static str) -> Result<()> {
    broker.publish(vec![message(payload)]).await.remove(0)
}

async fn join(broker: &FileBroker) -> Box<dyn Consumer> {
    broker.subscribe(&Subscription::new("one", vec!["a".into()])).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_and_is_written_again_once_there_is_room() {
    let (_folder, path, disk, broker) = open().await;
    let mut consumer = join(&broker).await;
    for payload in ["acknowledged", "kept", "rejected"] {
        publish(&broker, payload).await.unwrap();
    }
    let mut deliveries = consumer.fetch(3).await.unwrap();
    let fault = &broker.engine.log().fault;
    disk.set(DiskFailure::Full);
    let rejected = tokio::spawn(deliveries.remove(2).receipt.reject("reason"));
    while !fault.is_raised() {
        tokio::task::yield_now().await;
    }
    let acknowledged = tokio::spawn(deliveries.remove(0).receipt.ack());
    assert_eq!(publish(&broker, "refused").await.unwrap_err().kind(), crate::ErrorKind::Unavailable);
    assert!(fault.reason().unwrap().starts_with("messaging: messages.redb cannot be written: "));
    let waiting = tokio::spawn(async move { consumer.fetch(1).await.unwrap().len() });
    disk.set(DiskFailure::None);

    rejected.await.unwrap().unwrap();
    acknowledged.await.unwrap().unwrap();
    while fault.is_raised() {
        tokio::task::yield_now().await;
    }
    publish(&broker, "after").await.unwrap();
    assert_eq!(waiting.await.unwrap(), 1, "a consumer continues");
    let info = broker.operator().unwrap().stream().await.unwrap();
    assert_eq!((info.messages, info.dead_letters), (2, 1));
    drop((broker, deliveries));

    let broker = FileBroker::open(&path).await.unwrap();
    let info = broker.operator().unwrap().stream().await.unwrap();
    assert_eq!((info.messages, info.dead_letters), (2, 1), "the file has the engine's state");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_ends_while_its_disk_is_full() {
    let (_folder, path, disk, broker) = open().await;
    publish(&broker, "before").await.unwrap();
    disk.set(DiskFailure::Full);
    let hanging = {
        let broker = broker.clone();
        tokio::spawn(async move { publish(&broker, "during").await })
    };
    while !broker.engine.log().fault.is_raised() {
        tokio::task::yield_now().await;
    }
    hanging.abort();
    drop(broker);
    let _ = hanging.await;
    let broker = FileBroker::open(&path).await.unwrap();
    assert_eq!(broker.operator().unwrap().stream().await.unwrap().messages, 1);
}

#[tokio::test]
async fn a_quota_holds_at_its_edge_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.redb");
    let quota = 2 * (message("12345").size() + 256);
    let mut broker = FileBroker::with_capacity(&path, quota).await.unwrap();
    publish(&broker, "12345").await.unwrap();
    for reopened in [false, true] {
        if reopened {
            drop(broker);
            broker = FileBroker::with_capacity(&path, quota).await.unwrap();
        }
        assert_eq!(publish(&broker, "123456").await.unwrap_err().kind(), crate::ErrorKind::QuotaExceeded);
    }
    publish(&broker, "12345").await.unwrap();
    assert_eq!(publish(&broker, "").await.unwrap_err().kind(), crate::ErrorKind::QuotaExceeded);
    drop(broker);

    // Less than is stored: what is there can be handled.
    let broker = FileBroker::with_capacity(&path, quota / 2).await.unwrap();
    assert_eq!(publish(&broker, "").await.unwrap_err().kind(), crate::ErrorKind::QuotaExceeded);
    let mut consumer = join(&broker).await;
    for delivery in consumer.fetch(2).await.unwrap() {
        delivery.receipt.ack().await.unwrap();
    }
    publish(&broker, "1234").await.unwrap();
    let outcomes = broker.publish(vec![message("12345"), message("")]).await;
    assert!(outcomes.iter().all(Result::is_err), "what is there takes nearly all");
}
