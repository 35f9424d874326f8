//! The conformance suite of brokers. What not all brokers promise is a field of [`Guarantees`].

mod consumers;
mod messages;
mod operators;
mod order;
mod redelivery;
mod requests;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::future::BoxFuture;

use crate::{Broker, Consumer, Delivery, Message, Subscription};

/// Timeout of an expected event: generous, because the suite does not measure time.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before an event counts as absent. A conforming broker passes with any value.
const SILENCE: Duration = Duration::from_millis(300);

/// Optional guarantees of a broker. Every broker delivers a message as it was published to each consumer with a
/// matching topic, to one of its members, and answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Messages are stored: a consumer receives messages published before its creation, and while it had no members.
    pub keeps: bool,
    /// A message is redelivered until it is acknowledged or rejected: after the delay of a retry, and after `ack_wait`.
    /// Attempts are counted.
    pub redelivers: bool,
    /// A message with the id of another of the last two minutes is accepted and dropped.
    pub deduplicates: bool,
    /// With an ordered subscription, the messages of one key are handled in order, retries included.
    pub orders: bool,
    /// Meanwhile, messages of other keys are delivered.
    pub lanes: bool,
    /// A consumer whose topics change receives stored messages of the new ones that it has not handled.
    pub rematches: bool,
    /// A message that matches several topics of a subscription is delivered once.
    pub merges: bool,
    /// A request without subscribers fails at once with `NoResponders`, not with `Timeout`.
    pub no_responders: bool,
    /// A rejected message becomes a dead letter, which an operator can replay or purge.
    pub dead_letters: bool,
}

impl Guarantees {
    /// All of them.
    pub const ALL: Self = Self {
        keeps: true,
        redelivers: true,
        deduplicates: true,
        orders: true,
        lanes: true,
        rematches: true,
        merges: true,
        no_responders: true,
        dead_letters: true,
    };
    /// None of them.
    pub const NONE: Self = Self {
        keeps: false,
        redelivers: false,
        deduplicates: false,
        orders: false,
        lanes: false,
        rematches: false,
        merges: false,
        no_responders: false,
        dead_letters: false,
    };
}

/// Checks brokers against the interface and `guarantees`.
///
/// `open` receives a word and returns a separate broker for each word, which accepts topics that begin with the word
/// and a dot. The same word reopens the same messages, as another process would.
///
/// # Errors
///
/// The first violation.
pub async fn run<F>(open: impl Fn(String) -> F + Send + Sync, guarantees: Guarantees) -> Result<()>
where
    F: Future<Output = Result<Arc<dyn Broker>>> + Send + 'static,
{
    let suite = Suite { open: Box::new(|word| Box::pin(open(word))), guarantees };
    messages::run(&suite).await.context("messages")?;
    consumers::run(&suite).await.context("consumers")?;
    redelivery::run(&suite).await.context("redelivery")?;
    order::run(&suite).await.context("order")?;
    requests::run(&suite).await.context("requests")?;
    operators::run(&suite).await.context("operators")
}

type Open<'a> = Box<dyn Fn(String) -> BoxFuture<'static, Result<Arc<dyn Broker>>> + Send + Sync + 'a>;

struct Suite<'a> {
    open: Open<'a>,
    guarantees: Guarantees,
}

impl Suite<'_> {
    /// A broker for one check in one run.
    async fn place(&self) -> Result<Place> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let word = format!("c{now}x{}", NEXT.fetch_add(1, Relaxed));
        let broker = (self.open)(word.clone()).await.context("open")?;
        Ok(Place { word, broker })
    }

    /// Reopens the broker, as another process would.
    async fn again(&self, place: &Place) -> Result<Place> {
        let broker = (self.open)(place.word.clone()).await.context("open again")?;
        Ok(Place { word: place.word.clone(), broker })
    }
}

/// A broker, and the word that its topics begin with.
struct Place {
    word: String,
    broker: Arc<dyn Broker>,
}

impl Place {
    fn topic(&self, rest: &str) -> String {
        format!("{}.{rest}", self.word)
    }

    fn message(&self, topic: &str, payload: &str) -> Message {
        Message { topic: self.topic(topic), payload: Bytes::from(payload.to_owned()), ..Message::default() }
    }

    fn keyed(&self, topic: &str, key: &str, payload: &str) -> Message {
        Message { key: Some(key.to_owned()), ..self.message(topic, payload) }
    }

    /// A subscription whose deliveries never expire.
    fn subscription(&self, consumer: &str, topics: &[&str]) -> Subscription {
        let topics = topics.iter().map(|topic| self.topic(topic)).collect();
        let ack_wait = Duration::from_secs(600);
        Subscription { ack_wait, ..Subscription::new(format!("{}-{consumer}", self.word), topics) }
    }

    async fn join(&self, consumer: &str, topics: &[&str]) -> Result<Box<dyn Consumer>> {
        self.broker.subscribe(&self.subscription(consumer, topics)).await.context("subscribe")
    }

    async fn publish(&self, messages: Vec<Message>) -> Result<()> {
        let count = messages.len();
        let outcomes = self.broker.publish(messages).await;
        ensure!(outcomes.len() == count, "{} outcomes of {count} messages", outcomes.len());
        outcomes.into_iter().try_for_each(|outcome| outcome.context("publish"))
    }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.message.payload).into_owned()
}

/// Waits for messages, and returns up to `most`.
async fn fetch(consumer: &mut dyn Consumer, most: usize) -> Result<Vec<Delivery>> {
    let found = tokio::time::timeout(PATIENCE, consumer.fetch(most)).await.context("no message came")??;
    ensure!(found.len() <= most, "{} messages came instead of {most}", found.len());
    Ok(found)
}

/// Waits for the next message.
async fn next(consumer: &mut dyn Consumer) -> Result<Delivery> {
    loop {
        if let Some(delivery) = fetch(consumer, 1).await?.pop() {
            return Ok(delivery);
        }
    }
}

/// Waits for `count` messages.
async fn collect(consumer: &mut dyn Consumer, count: usize) -> Result<Vec<Delivery>> {
    let mut found = Vec::new();
    while found.len() < count {
        found.extend(fetch(consumer, count.saturating_sub(found.len())).await?);
    }
    Ok(found)
}

/// Waits for so many messages and acknowledges them. Their payloads.
async fn handle(consumer: &mut dyn Consumer, count: usize) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    while texts.len() < count {
        for delivery in fetch(consumer, count.saturating_sub(texts.len())).await? {
            texts.push(text(&delivery));
            delivery.receipt.ack().await.context("ack")?;
        }
    }
    Ok(texts)
}

/// Checks that no message arrives.
async fn expect_silence(consumer: &mut dyn Consumer) -> Result<()> {
    if let Ok(found) = tokio::time::timeout(SILENCE, consumer.fetch(1)).await {
        let texts: Vec<String> = found?.iter().map(text).collect();
        ensure!(texts.is_empty(), "{texts:?} came");
    }
    Ok(())
}

/// Checks that exactly these messages arrive, in any order.
async fn expect(consumer: &mut dyn Consumer, expected: &[&str]) -> Result<()> {
    let mut found = handle(consumer, expected.len()).await?;
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    ensure!(found == expected, "{found:?} came instead of {expected:?}");
    expect_silence(consumer).await
}

/// Polls until the condition holds.
async fn eventually<F: Future<Output = Result<bool>>>(mut ask: impl FnMut() -> F) -> Result<()> {
    let asking = async {
        while !ask().await? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, asking).await.context("it did not come about")?
}

#[cfg(test)]
mod tests;
