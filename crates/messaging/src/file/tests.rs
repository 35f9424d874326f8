//! What a database file promises besides the conformance suite.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _};
use tempfile::TempDir;

use super::*;
use crate::{Consumer, Delivery, MESSAGE_ID, Message, Subscription};

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.redb");
    (folder, path)
}

fn message(topic: &str, payload: &str) -> Message {
    Message { topic: topic.into(), payload: Bytes::from(payload.to_owned()), ..Message::default() }
}

fn with_id(id: &str) -> Message {
    Message { headers: vec![(MESSAGE_ID.into(), id.into())], ..message("a", id) }
}

async fn publish(broker: &FileBroker, messages: Vec<Message>) {
    for outcome in broker.publish(messages).await {
        outcome.unwrap();
    }
}

async fn join(broker: &FileBroker, name: &str) -> Box<dyn Consumer> {
    broker.subscribe(&Subscription::new(name, vec!["a".into()])).await.unwrap()
}

async fn next(consumer: &mut dyn Consumer) -> Delivery {
    consumer.fetch(1).await.unwrap().pop().unwrap()
}

fn summary(delivery: &Delivery) -> (String, u32, u64) {
    let text = String::from_utf8(delivery.message.payload.to_vec()).unwrap();
    (text, delivery.attempt, delivery.sequence.unwrap())
}

/// What a killed process leaves: the file as it is just now.
async fn killed(path: &Path) -> (TempDir, FileBroker) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.redb");
    std::fs::copy(path, &copy).unwrap();
    let broker = FileBroker::open(&copy).await.unwrap();
    (folder, broker)
}

#[tokio::test]
async fn a_killed_process_loses_nothing_and_counts_every_delivery() {
    let (_folder, path) = place();
    let broker = FileBroker::open(&path).await.unwrap();
    let (mut one, mut two) = (join(&broker, "one").await, join(&broker, "two").await);
    publish(&broker, ["done", "worked on", "later", "bad", "fresh"].map(|text| message("a", text)).into()).await;
    next(&mut *one).await.receipt.ack().await.unwrap();
    let _worked_on = next(&mut *one).await;
    next(&mut *one).await.receipt.retry(Duration::from_secs(3600)).await.unwrap();
    next(&mut *one).await.receipt.reject("reason").await.unwrap();

    let (_copy, after) = killed(&path).await;
    let mut consumer = join(&after, "one").await;
    // The consumer is gone: do not wait for its ack timeout.
    assert_eq!(summary(&next(&mut *consumer).await), ("worked on".into(), 2, 2));
    assert_eq!(summary(&next(&mut *consumer).await), ("fresh".into(), 1, 5));
    let info = after.operator().unwrap().stream().await.unwrap();
    assert_eq!((info.messages, info.dead_letters), (5, 1));
    assert_eq!((info.consumers[0].pending, info.consumers[0].in_flight), (0, 3), "one waits for its retry");
    let letters = after.operator().unwrap().dead_letters(None, 10).await.unwrap();
    assert_eq!((letters[0].reason.as_str(), letters[0].attempts), ("reason", 1));
    let mut other = join(&after, "two").await;
    assert_eq!(other.fetch(10).await.unwrap().len(), 5, "another consumer has handled nothing");
    drop(two.fetch(1).await);
}

#[tokio::test]
async fn a_delivery_is_counted_before_anybody_sees_it() {
    let (_folder, path) = place();
    let broker = FileBroker::open(&path).await.unwrap();
    let mut consumer = join(&broker, "one").await;
    publish(&broker, vec![message("a", "poison")]).await;
    drop(next(&mut *consumer).await);
    let mut folders = Vec::new();
    let mut path = path;
    for attempt in 2..6 {
        let (folder, broker) = killed(&path).await;
        path = folder.path().join("copy.redb");
        folders.push(folder);
        assert_eq!(next(&mut *join(&broker, "one").await).await.attempt, attempt);
        // What the next one copies is what this one has written, as it is still open.
        std::mem::forget(broker);
    }
}

#[tokio::test]
async fn ids_and_sequences_outlive_the_process() {
    let (_folder, path) = place();
    let broker = FileBroker::open(&path).await.unwrap();
    let mut consumer = join(&broker, "one").await;
    publish(&broker, vec![with_id("1"), with_id("2")]).await;
    for delivery in consumer.fetch(10).await.unwrap() {
        delivery.receipt.reject("no").await.unwrap();
    }
    for letter in broker.operator().unwrap().dead_letters(None, 10).await.unwrap() {
        broker.operator().unwrap().purge(letter.sequence).await.unwrap();
    }
    drop((broker, consumer));

    let broker = FileBroker::open(&path).await.unwrap();
    let mut consumer = join(&broker, "one").await;
    publish(&broker, vec![with_id("1"), with_id("3"), with_id("2")]).await;
    let found = consumer.fetch(10).await.unwrap();
    assert_eq!(found.iter().map(summary).collect::<Vec<_>>(), [("3".into(), 1, 3)]);
    for delivery in found {
        delivery.receipt.reject("no").await.unwrap();
    }
    let letters = broker.operator().unwrap().dead_letters(None, 10).await.unwrap();
    assert_eq!(letters[0].sequence, 3, "a place among the dead letters was given twice");
}

#[tokio::test]
async fn what_is_done_with_leaves_nothing() {
    let (_folder, path) = place();
    let broker = FileBroker::open(&path).await.unwrap();
    let mut consumers = [join(&broker, "one").await, join(&broker, "two").await];
    publish(&broker, (0..50).map(|number| message("a", &number.to_string())).collect()).await;
    for consumer in &mut consumers {
        for delivery in consumer.fetch(50).await.unwrap() {
            delivery.receipt.ack().await.unwrap();
        }
    }
    drop((consumers, broker));
    // Its thread still has the lock for a moment.
    let database = loop {
        match Database::open(&path) {
            Ok(database) => break database,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let transaction = database.begin_read().unwrap();
    for table in transaction.list_tables().unwrap() {
        let name = redb::TableHandle::name(&table).to_owned();
        let rows = transaction.open_untyped_table(table).unwrap().len().unwrap();
        let expected = match name.as_str() {
            "consumers" => 2,
            "messaging" => 2,
            _ => 0,
        };
        assert_eq!(rows, expected, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_there() {
    let (_folder, path) = place();
    let broker = FileBroker::open(&path).await.unwrap();
    // More than wait in the queue.
    let publish = (0..600).map(|number| {
        let broker = broker.clone();
        async move { broker.publish(vec![message("a", &number.to_string())]).await.remove(0) }
    });
    futures::future::try_join_all(publish).await.unwrap();
    // A publisher that gives up has published, or has not.
    for _ in 0..20 {
        let _ = tokio::time::timeout(Duration::ZERO, broker.publish(vec![message("b", "given up")])).await;
    }
    drop(broker);
    let broker = FileBroker::open(&path).await.unwrap();
    let found = join(&broker, "one").await.fetch(1000).await.unwrap();
    let numbers: std::collections::BTreeSet<String> = found.iter().map(|delivery| summary(delivery).0).collect();
    assert_eq!((found.len(), numbers.len()), (600, 600));
}

#[tokio::test]
async fn the_database_of_another_service_is_refused() {
    let (_folder, path) = place();
    let table: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("meta");
    let theirs = Database::create(&path).unwrap();
    let transaction = theirs.begin_write().unwrap();
    transaction.open_table(table).unwrap().insert("format", 1).unwrap();
    transaction.commit().unwrap();
    drop(theirs);
    let error = FileBroker::open(&path).await.err().unwrap().to_string();
    assert!(error.contains("is not a messaging database"), "{error}");
}

#[tokio::test]
async fn a_stream_has_the_name_of_its_file() {
    let (_folder, path) = place();
    let broker = FileBroker::open(&path).await.unwrap();
    assert_eq!(broker.operator().unwrap().stream().await.unwrap().name, "messages");
}
