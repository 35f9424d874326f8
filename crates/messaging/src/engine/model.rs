//! Random operations on both embedded brokers, against a simple model: whatever the order, both must say the same.

mod expected;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::FutureExt as _;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use tempfile::TempDir;

use self::expected::{Model, TOPICS};
use super::Clock;
use crate::{
    Broker, Consumer, ConsumerMove, Delivery, FileBroker, MemoryBroker, Message, Receipt, Subscription, topic,
};

const CONSUMERS: [&str; 2] = ["one", "two"];
/// Choices of topics: some match, some overlap, some match nothing that is published.
const FILTERS: &[&[&str]] = &[&[">"], &["a.*"], &["a.b", "c"], &["*.b", "a.>"], &["nothing"]];
const ACK_WAIT: u64 = 10_000;

#[derive(Clone, Debug)]
enum Operation {
    Publish(Vec<(usize, Option<u8>)>),
    Fetch { consumer: usize, most: usize },
    GiveUp { consumer: usize, most: usize },
    Settle(Index, End),
    Wait(u64),
    Subscribe { consumer: usize, filters: usize, ordered: bool },
    Replay(Index),
    Purge(Index),
    Reopen,
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug)]
enum End {
    Ack,
    Retry(u64),
    Reject,
    Extend,
    Forget,
}

fn operation() -> impl Strategy<Value = Operation> {
    let consumer = || 0..CONSUMERS.len();
    let message = (0..TOPICS.len(), prop::option::weighted(0.7, 0u8..3));
    let end = prop_oneof![
        6 => Just(End::Ack),
        3 => select(&[0u64, 1, 4_000, 30_000][..]).prop_map(End::Retry),
        2 => Just(End::Reject),
        1 => Just(End::Extend),
        1 => Just(End::Forget),
    ];
    prop_oneof![
        6 => prop::collection::vec(message, 1..5).prop_map(Operation::Publish),
        8 => (consumer(), 1usize..5).prop_map(|(consumer, most)| Operation::Fetch { consumer, most }),
        1 => (consumer(), 1usize..5).prop_map(|(consumer, most)| Operation::GiveUp { consumer, most }),
        12 => (any::<Index>(), end).prop_map(|(index, end)| Operation::Settle(index, end)),
        3 => select(&[1u64, 500, 5_000, 9_999, 10_000, 40_000][..]).prop_map(Operation::Wait),
        1 => (consumer(), 0..FILTERS.len(), any::<bool>())
            .prop_map(|(consumer, filters, ordered)| Operation::Subscribe { consumer, filters, ordered }),
        1 => any::<Index>().prop_map(Operation::Replay),
        1 => any::<Index>().prop_map(Operation::Purge),
        1 => Just(Operation::Reopen),
    ]
}

/// A broker under test, and how to close and reopen it. The test sets its time.
struct Subject {
    broker: Option<Box<dyn Broker>>,
    consumers: Vec<Box<dyn Consumer>>,
    /// Deliveries of which nothing has become: the consumer, the place in the stream, the attempt.
    held: Vec<(usize, u64, u32, Box<dyn Receipt>)>,
    subscriptions: Vec<Subscription>,
    time: Arc<AtomicU64>,
    file: Option<(TempDir, PathBuf)>,
}

impl Subject {
    async fn new(file: bool) -> Self {
        let file = file.then(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("model");
            (folder, path)
        });
        let subscriptions = CONSUMERS.map(|name| Subscription {
            ack_wait: Duration::from_millis(ACK_WAIT),
            ..Subscription::new(name, vec![">".into()])
        });
        let time = Arc::new(AtomicU64::new(1_000_000));
        let mut subject = Self {
            broker: None,
            consumers: Vec::new(),
            held: Vec::new(),
            subscriptions: subscriptions.into(),
            time,
            file,
        };
        subject.open().await;
        subject
    }

    async fn open(&mut self) {
        let mut clock = Clock::default();
        clock.set = Some(self.time.clone());
        let broker: Box<dyn Broker> = match &self.file {
            Some((_, path)) => Box::new(FileBroker::with_clock(path, clock).await.unwrap()),
            None => Box::new(MemoryBroker::with_clock(clock)),
        };
        for subscription in &self.subscriptions {
            self.consumers.push(broker.subscribe(subscription).await.unwrap());
        }
        self.broker = Some(broker);
    }

    async fn reopen(&mut self) -> bool {
        if self.file.is_none() {
            return false;
        }
        self.held.clear();
        self.consumers.clear();
        self.broker = None;
        self.open().await;
        true
    }

    fn broker(&self) -> &dyn Broker {
        &**self.broker.as_ref().unwrap()
    }

    fn now(&self) -> u64 {
        self.time.load(Relaxed)
    }
}

async fn follow(mut subject: Subject, operations: Vec<Operation>) -> Result<(), TestCaseError> {
    let mut model = Model::new(&subject.subscriptions);
    for operation in operations {
        step(&mut subject, &mut model, operation.clone()).await?;
        let stream = subject.broker().operator().unwrap().stream().await.unwrap();
        prop_assert_eq!(stream.consumers, model.info(), "after {:?}", operation);
        prop_assert_eq!(stream.messages, model.messages.len() as u64, "after {:?}", operation);
        prop_assert_eq!(stream.dead_letters, model.letters.len() as u64, "after {:?}", operation);
    }
    drain(&mut subject, &mut model).await
}

/// In the end everything can be had.
async fn drain(subject: &mut Subject, model: &mut Model) -> Result<(), TestCaseError> {
    subject.time.fetch_add(1_000_000, Relaxed);
    for consumer in 0..CONSUMERS.len() {
        while !model.ready(consumer, subject.now()).is_empty() {
            step(subject, model, Operation::Fetch { consumer, most: 100 }).await?;
            while let Some((consumer, sequence, _, receipt)) = subject.held.pop() {
                receipt.ack().await.unwrap();
                model.finish(consumer, sequence);
            }
        }
        prop_assert!(model.is_done(consumer), "the model keeps something");
    }
    let letters = subject.broker().operator().unwrap().dead_letters(None, 1000).await.unwrap();
    let found: Vec<_> = letters.into_iter().map(|l| (l.sequence, (l.message, l.consumer, l.attempts))).collect();
    prop_assert_eq!(found, model.letters.clone().into_iter().collect::<Vec<_>>());
    Ok(())
}

async fn step(subject: &mut Subject, model: &mut Model, operation: Operation) -> Result<(), TestCaseError> {
    let now = subject.now();
    match operation {
        Operation::Publish(wanted) => {
            let messages: Vec<Message> = wanted.into_iter().map(|(topic, key)| model.publish(topic, key)).collect();
            let outcomes = subject.broker().publish(messages).await;
            prop_assert!(outcomes.iter().all(Result::is_ok));
        }
        Operation::Fetch { consumer, most } => fetch(subject, model, consumer, most).await?,
        Operation::GiveUp { consumer, most } => {
            // Looked at once. On a file nothing can be there yet, so what was taken is given back.
            if let Some(found) = subject.consumers[consumer].fetch(most).now_or_never() {
                compare(subject, model, consumer, most, found.unwrap())?;
            }
        }
        Operation::Settle(index, end) if !subject.held.is_empty() => {
            let (consumer, sequence, attempt, receipt) = subject.held.swap_remove(index.index(subject.held.len()));
            match end {
                End::Ack => receipt.ack().await.unwrap(),
                End::Retry(delay) => receipt.retry(Duration::from_millis(delay)).await.unwrap(),
                End::Reject => receipt.reject("reason").await.unwrap(),
                End::Extend => {
                    receipt.extend().await.unwrap();
                    subject.held.push((consumer, sequence, attempt, receipt));
                }
                End::Forget => drop(receipt),
            }
            model.settle(consumer, sequence, attempt, end, now);
        }
        Operation::Wait(millis) => drop(subject.time.fetch_add(millis, Relaxed)),
        Operation::Subscribe { consumer, filters, ordered } => {
            let topics = FILTERS[filters].iter().map(|&filter| filter.into()).collect();
            let subscription = Subscription { topics, ordered, ..subject.subscriptions[consumer].clone() };
            subscribe(subject, model, consumer, subscription).await?;
        }
        Operation::Replay(index) if !model.letters.is_empty() => {
            let letter = *model.letters.keys().nth(index.index(model.letters.len())).unwrap();
            subject.broker().operator().unwrap().replay(letter).await.unwrap();
            model.replay(letter);
        }
        Operation::Purge(index) if !model.letters.is_empty() => {
            let letter = *model.letters.keys().nth(index.index(model.letters.len())).unwrap();
            subject.broker().operator().unwrap().purge(letter).await.unwrap();
            model.letters.remove(&letter);
        }
        Operation::Reopen => {
            if subject.reopen().await {
                model.reopen();
            }
        }
        Operation::Settle(..) | Operation::Replay(_) | Operation::Purge(_) => {}
    }
    Ok(())
}

/// Subscribes again with other settings; a change that would skip messages has to be a move.
async fn subscribe(
    subject: &mut Subject,
    model: &mut Model,
    consumer: usize,
    subscription: Subscription,
) -> Result<(), TestCaseError> {
    let joined = subject.broker().subscribe(&subscription).await;
    let adopted = topic::is_superset(&subscription.topics, &subject.subscriptions[consumer].topics);
    prop_assert_eq!(joined.is_ok(), adopted, "{:?}", subscription.topics);
    // The members before this one.
    drop(subject.consumers.remove(consumer));
    let joined = match joined {
        Ok(joined) => joined,
        Err(_) => {
            let change = ConsumerMove { topics: Some(subscription.topics.clone()), ..ConsumerMove::default() };
            let operator = subject.broker().operator().unwrap();
            let moved = operator.move_consumer(CONSUMERS[consumer], &change).await.unwrap();
            prop_assert_eq!(moved.skipped, Some(model.skipped(consumer, &subscription)));
            subject.broker().subscribe(&subscription).await.unwrap()
        }
    };
    subject.consumers.insert(consumer, joined);
    model.subscribe(consumer, &subscription);
    subject.subscriptions[consumer] = subscription;
    Ok(())
}

async fn fetch(subject: &mut Subject, model: &mut Model, consumer: usize, most: usize) -> Result<(), TestCaseError> {
    let found = if model.ready(consumer, subject.now()).is_empty() {
        subject.consumers[consumer].fetch(most).now_or_never()
    } else {
        Some(subject.consumers[consumer].fetch(most).await)
    };
    let found = found.transpose().unwrap().unwrap_or_default();
    compare(subject, model, consumer, most, found)
}

fn compare(
    subject: &mut Subject,
    model: &mut Model,
    consumer: usize,
    most: usize,
    found: Vec<Delivery>,
) -> Result<(), TestCaseError> {
    let expected = model.take(consumer, most, subject.now());
    let summary: Vec<_> = found.iter().map(|d| (d.sequence.unwrap(), d.attempt, d.message.clone())).collect();
    prop_assert_eq!(summary, expected);
    for delivery in found {
        subject.held.push((consumer, delivery.sequence.unwrap(), delivery.attempt, delivery.receipt));
    }
    Ok(())
}

/// Runs `cases` random lists of operations, the same ones each time.
fn run(cases: u32, file: bool) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let operations = prop::collection::vec(operation(), 1..120);
    let result = runner
        .run(&operations, |operations| runtime.block_on(async { follow(Subject::new(file).await, operations).await }));
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn memory_is_like_the_model() {
    run(600, false);
}

#[test]
fn a_file_is_like_the_model() {
    run(25, true);
}
