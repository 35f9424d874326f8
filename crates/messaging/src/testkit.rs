//! The testkit of brokers: conformance checks, as named trials of libtest-mimic.
//!
//! A test target with `harness = false` runs the [`trials`] of a backend, as `examples/own_backend.rs` of `tempo-keyvalue` does
//! for a store.

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
use futures::future::LocalBoxFuture;
use tempo_backend::check;
pub use tempo_backend::testkit::Trial;
use tempo_backend::testkit::{self, Check};

use self::consumers::adoption;
use self::operators::moves;
use crate::{Broker, Consumer, Delivery, Message, Subscription};

/// Timeout of an expected event: generous, because the suite does not measure time.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait before an event counts as absent. A conforming broker passes with any value.
const SILENCE: Duration = Duration::from_millis(300);
/// Pause between two checks of a condition.
const POLL: Duration = Duration::from_millis(20);

/// The capabilities of a broker. Every broker delivers a message as it was published to each consumer with a
/// matching topic, to one of its members, and answers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Capabilities {
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

impl Capabilities {
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

/// Returns a trial of each check that applies to the `capabilities` of a broker, with the name `prefix::check`.
///
/// `factory` receives a word and opens a separate broker for each word, which accepts topics that begin with the word and a dot.
/// The same word reopens the same messages, as another process would. Trials run concurrently.
pub fn trials<F>(
    prefix: &str,
    factory: impl Fn(String) -> F + Send + Sync + 'static,
    capabilities: &Capabilities,
) -> Vec<Trial>
where
    F: Future<Output = Result<Arc<dyn Broker>>> + 'static,
{
    let suite = Suite { open: Arc::new(move |word| Box::pin(factory(word))), capabilities: *capabilities };
    testkit::trials(prefix, checks(), capabilities, move || std::future::ready(Ok(suite.clone())))
}

fn checks() -> Vec<Check<Suite, Capabilities>> {
    vec![
        check!(messages::messages_arrive_as_published),
        check!(messages::many_messages_arrive_in_order),
        check!(messages::messages_with_a_known_id_are_dropped, |can| can.deduplicates),
        check!(consumers::topics_match),
        check!(consumers::overlapping_topics_deliver_once, |can| can.merges),
        check!(consumers::members_share_messages),
        check!(consumers::stored_messages_reach_new_consumers, |can| can.keeps),
        check!(consumers::messages_wait_for_a_member, |can| can.keeps),
        check!(adoption::adoption_of_topics, |can| can.keeps),
        check!(adoption::adoption_of_options, |can| can.keeps),
        check!(adoption::adoption_by_owner, |can| can.keeps),
        check!(adoption::adoption_of_an_unnamed_app, |can| can.keeps),
        check!(redelivery::cancelled_fetches_lose_nothing),
        check!(redelivery::deliveries_are_at_most_once, |can| !can.redelivers),
        check!(redelivery::retries_are_redelivered, |can| can.redelivers),
        check!(redelivery::unacknowledged_messages_are_redelivered, |can| can.redelivers),
        check!(redelivery::extend_prevents_redelivery, |can| can.redelivers),
        check!(redelivery::a_retry_blocks_no_other_message, |can| can.redelivers),
        check!(order::messages_of_a_key_are_in_order, |can| can.orders),
        check!(order::keys_do_not_block_each_other, |can| can.lanes),
        check!(requests::a_request_receives_its_reply),
        check!(requests::a_request_receives_several_replies),
        check!(requests::concurrent_requests_receive_their_replies),
        check!(requests::a_request_without_a_reply_times_out),
        check!(requests::a_request_without_a_responder_fails),
        check!(operators::there_is_no_operator, |can| !can.dead_letters),
        check!(operators::rejected_messages_are_dead_letters, |can| can.dead_letters),
        check!(operators::dead_letters_are_replayed, |can| can.dead_letters),
        check!(operators::reasons_have_any_text, |can| can.dead_letters),
        check!(operators::dead_letters_are_purged_and_listed_in_pages, |can| can.dead_letters),
        check!(operators::purged_messages_are_dead_letters_again, |can| can.dead_letters),
        check!(operators::operators_count, |can| can.dead_letters),
        check!(moves::moves_of_topics, |can| can.dead_letters),
        check!(moves::moves_of_the_position, |can| can.dead_letters),
        check!(moves::moves_to_another_name, |can| can.dead_letters),
        check!(moves::moves_to_another_owner, |can| can.dead_letters),
        check!(moves::moves_are_refused_while_a_program_fetches, |can| can.dead_letters),
        check!(moves::consumers_are_removed, |can| can.dead_letters),
    ]
}

type Open = Arc<dyn Fn(String) -> LocalBoxFuture<'static, Result<Arc<dyn Broker>>> + Send + Sync>;

/// The subject of the checks: opens brokers.
#[derive(Clone)]
struct Suite {
    open: Open,
    capabilities: Capabilities,
}

impl Suite {
    /// Opens a broker for one check in one run.
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
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, asking).await.context("it did not come about")?
}

#[cfg(test)]
mod tests;
