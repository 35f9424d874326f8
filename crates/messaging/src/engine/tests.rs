//! What an engine promises besides the conformance suite and the model.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use futures::FutureExt as _;
use tokio::sync::oneshot;

use super::*;
use crate::{Broker, DeadLetter, Delivery, FileBroker, MESSAGE_ID, MemoryBroker};

/// How long something may take to come about: generous, because nothing is timed here.
const PATIENCE: Duration = Duration::from_secs(60);

fn message(topic: &str, payload: &str) -> Message {
    Message { topic: topic.into(), payload: Bytes::from(payload.to_owned()), ..Message::default() }
}

async fn publish(broker: &dyn Broker, message: Message) -> Result<()> {
    broker.publish(vec![message]).await.remove(0)
}

/// A subscription whose deliveries may take very long.
fn subscription(name: &str) -> Subscription {
    Subscription { ack_wait: Duration::from_secs(36_000), ..Subscription::new(name, vec!["a.>".into()]) }
}

async fn next(consumer: &mut dyn Consumer) -> Delivery {
    tokio::time::timeout(PATIENCE, consumer.fetch(1)).await.unwrap().unwrap().pop().unwrap()
}

#[tokio::test]
async fn room_is_counted_and_comes_back() {
    // Of each message: 3 bytes of the topic, 100 of the payload, 256.
    let payload = "p".repeat(100);
    for (max, fits) in [(2 * 359 - 1, 1), (2 * 359, 2), (2 * 359 + 1, 2)] {
        let broker = MemoryBroker::new(max);
        let outcomes = broker.publish(vec![message("a.b", &payload); 3]).await;
        let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(accepted, fits, "{max}");
        assert_eq!(outcomes[2].as_ref().unwrap_err().kind(), ErrorKind::QuotaExceeded);
        let mut consumer = broker.subscribe(&subscription("one")).await.unwrap();
        next(&mut *consumer).await.receipt.ack().await.unwrap();
        publish(&broker, message("a.b", &payload)).await.unwrap();
        assert!(publish(&broker, message("a.b", &payload)).await.is_err());
    }
}

#[tokio::test]
async fn dead_letters_take_room_but_are_never_refused() {
    let broker = MemoryBroker::new(300);
    let mut consumers = Vec::new();
    for name in ["one", "two", "three"] {
        consumers.push(broker.subscribe(&subscription(name)).await.unwrap());
    }
    publish(&broker, message("a.b", "1")).await.unwrap();
    for consumer in &mut consumers {
        next(&mut **consumer).await.receipt.reject("no").await.unwrap();
    }
    let operator = broker.operator().unwrap();
    assert_eq!(operator.stream().await.unwrap().dead_letters, 3);
    assert_eq!(publish(&broker, message("a.b", "2")).await.unwrap_err().kind(), ErrorKind::QuotaExceeded);
    // A letter's room is its message's, so this works even now.
    operator.replay(2).await.unwrap();
    assert_eq!(next(&mut *consumers[0]).await.message.payload, "1");
    operator.purge(1).await.unwrap();
    operator.purge(3).await.unwrap();
    assert_eq!(operator.stream().await.unwrap().dead_letters, 0);
}

#[tokio::test]
async fn a_refused_message_may_come_again() {
    let broker = MemoryBroker::new(6000);
    let mut consumer = broker.subscribe(&subscription("one")).await.unwrap();
    let with_id =
        |id: &str| Message { headers: vec![(MESSAGE_ID.into(), id.into())], ..message("a.b", &id.repeat(3000)) };
    publish(&broker, with_id("1")).await.unwrap();
    assert!(publish(&broker, with_id("2")).await.is_err());
    publish(&broker, with_id("1")).await.expect("a duplicate needs no room");
    next(&mut *consumer).await.receipt.ack().await.unwrap();
    publish(&broker, with_id("2")).await.unwrap();
    assert_eq!(next(&mut *consumer).await.message.header(MESSAGE_ID), Some("2"));
}

#[tokio::test]
async fn an_id_is_known_for_two_minutes_whenever_it_is_opened() {
    let folder = tempfile::tempdir().unwrap();
    let time = Arc::new(AtomicU64::new(1_000_000));
    let open = async || {
        let mut clock = Clock::default();
        clock.set = Some(time.clone());
        FileBroker::with_clock(&folder.path().join("ids"), clock).await.unwrap()
    };
    let with_id =
        |payload: &str| Message { headers: vec![(MESSAGE_ID.into(), "id".into())], ..message("a.b", payload) };
    let broker = open().await;
    publish(&broker, with_id("first")).await.unwrap();
    time.fetch_add(DEDUP_WINDOW_MILLIS - 1, Relaxed);
    publish(&broker, with_id("duplicate")).await.unwrap();
    drop(broker);
    let broker = open().await;
    publish(&broker, with_id("duplicate")).await.unwrap();
    time.fetch_add(1, Relaxed);
    publish(&broker, with_id("second")).await.unwrap();
    let found = broker.subscribe(&subscription("one")).await.unwrap().fetch(10).await.unwrap();
    let payloads: Vec<_> = found.iter().map(|delivery| delivery.message.payload.clone()).collect();
    assert_eq!(payloads, ["first", "second"]);
}

/// When the member that waits with the redelivery timer leaves, another must take over.
#[tokio::test]
async fn whoever_waits_wakes_up_in_time() {
    let broker = MemoryBroker::default();
    let mut first = broker.subscribe(&subscription("one")).await.unwrap();
    publish(&broker, message("a.b", "1")).await.unwrap();
    let delivery = next(&mut *first).await;
    let (mut second, mut third) =
        (broker.subscribe(&subscription("one")).await.unwrap(), broker.subscribe(&subscription("one")).await.unwrap());
    let mut leaving = second.fetch(1);
    let mut staying = third.fetch(1);
    assert!(leaving.as_mut().now_or_never().is_none() && staying.as_mut().now_or_never().is_none());
    delivery.receipt.retry(Duration::from_millis(200)).await.unwrap();
    // It has the timer now, and sleeps.
    assert!(leaving.as_mut().now_or_never().is_none());
    drop(leaving);
    let found = tokio::time::timeout(PATIENCE, staying).await.expect("it sleeps on").unwrap();
    assert_eq!(found[0].attempt, 2);
}

#[tokio::test]
async fn what_a_dropped_fetch_took_is_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let broker = FileBroker::open(&folder.path().join("dropped")).await.unwrap();
    let mut consumer = broker.subscribe(&subscription("one")).await.unwrap();
    publish(&broker, message("a.b", "1")).await.unwrap();
    for _ in 0..10 {
        // It has taken the message, and waits for the disk.
        assert!(consumer.fetch(1).now_or_never().is_none());
    }
    assert_eq!(next(&mut *consumer).await.attempt, 1);
}

#[tokio::test]
async fn a_late_acknowledgement_counts_and_a_late_retry_does_not() {
    let broker = MemoryBroker::default();
    let short = Subscription { ack_wait: Duration::from_millis(20), ..subscription("one") };
    let mut consumer = broker.subscribe(&short).await.unwrap();
    publish(&broker, message("a.b", "1")).await.unwrap();
    let late = next(&mut *consumer).await;
    let lost = next(&mut *consumer).await;
    let last = next(&mut *consumer).await;
    assert_eq!((late.attempt, lost.attempt, last.attempt), (1, 2, 3));
    lost.receipt.retry(Duration::from_secs(36_000)).await.unwrap();
    assert_eq!(next(&mut *consumer).await.attempt, 4);
    late.receipt.ack().await.unwrap();
    assert_eq!(broker.operator().unwrap().stream().await.unwrap().messages, 0);
    last.receipt.reject("too late").await.unwrap();
    assert_eq!(broker.operator().unwrap().stream().await.unwrap().dead_letters, 0);
}

#[tokio::test]
async fn an_answer_is_kept_only_for_a_consumer() {
    let broker = MemoryBroker::default();
    let mut consumer = broker.subscribe(&subscription("one")).await.unwrap();
    broker.reply(message("b.c", "unmatched")).await.unwrap();
    broker.reply(message("a.b", "matched")).await.unwrap();
    publish(&broker, message("_INBOX.gone", "closed")).await.unwrap();
    assert_eq!(broker.operator().unwrap().stream().await.unwrap().messages, 1);
    assert_eq!(next(&mut *consumer).await.message.payload, "matched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_delivered_once_each() {
    const COUNT: usize = 100_000;
    let broker = MemoryBroker::default();
    let mut consumer = broker.subscribe(&subscription("one")).await.unwrap();
    for batch in 0..COUNT / 1000 {
        let messages = (0..1000).map(|number| message("a.b", &(batch * 1000 + number).to_string())).collect();
        assert!(broker.publish(messages).await.iter().all(Result::is_ok));
    }
    let mut found = BTreeSet::new();
    while found.len() < COUNT {
        for delivery in consumer.fetch(32).await.unwrap() {
            assert!(found.insert(delivery.sequence.unwrap()), "it came twice");
            delivery.receipt.ack().await.unwrap();
        }
    }
    assert!(consumer.fetch(1).now_or_never().is_none());
    assert_eq!(broker.operator().unwrap().stream().await.unwrap().messages, 0);
}

/// A log that fails on demand.
#[derive(Default)]
struct Failing {
    fails: Arc<AtomicBool>,
}

impl Log for Failing {
    type Permit = ();

    async fn reserve(&self) -> Result<()> {
        Ok(())
    }

    fn try_reserve(&self) -> Option<()> {
        Some(())
    }

    fn record(&self, (): (), _: Vec<Change>, read: Vec<u64>) -> Recorded {
        // A dropped sender is a failure.
        if self.fails.load(Relaxed) {
            Recorded::Later(oneshot::channel().1)
        } else {
            Recorded::Now(vec![None; read.len()])
        }
    }

    async fn letters(&self, _: Option<u64>, _: usize) -> Result<Vec<DeadLetter>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_log_that_fails_is_the_end_of_everything() {
    let log = Failing::default();
    let fails = log.fails.clone();
    let engine =
        Arc::new(Engine::new("failing".into(), Clock::default(), State::new(1 << 20, DEDUP_WINDOW_MILLIS), log));
    let mut consumer = engine.subscribe(&subscription("one")).await.unwrap();
    let waiting = tokio::spawn(async move { consumer.fetch(1).await.map(drop) });
    tokio::task::yield_now().await;
    fails.store(true, Relaxed);
    let outcome = engine.publish(vec![message("b", "1")]).await.remove(0);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unavailable);
    let failed = tokio::time::timeout(PATIENCE, waiting).await.expect("a consumer waits for ever").unwrap();
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
}
