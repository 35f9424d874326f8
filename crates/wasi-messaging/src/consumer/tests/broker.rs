//! A broker that delivers the messages of a test and records its calls.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::timeout;

use crate::{Broker, Consumer, Delivery, Error, ErrorKind, Message, Receipt, Result, Subscription};

/// Timeout of an expected event.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A recorded call. Messages are named by their payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Fetched(usize),
    Published(String),
    Replied(String, String),
    Acked(String),
    Retried(String, Duration),
    Rejected(String, String),
    Extended(String),
}

#[derive(Clone)]
pub(super) struct TestBroker(Arc<Inner>);

struct Inner {
    queue: Mutex<VecDeque<(Message, u32)>>,
    arrived: Notify,
    events: watch::Sender<Vec<Event>>,
    /// Publishing waits for these permits after it is recorded.
    gate: Semaphore,
    refuses_acks: AtomicBool,
    closed: AtomicBool,
    /// Whether no other program can fetch from it.
    own: AtomicBool,
    /// How many consumers have joined and left.
    left: watch::Sender<usize>,
    subscribed: Mutex<Vec<Subscription>>,
}

/// A message on the topic `t` with the payload `text`.
pub(super) fn message(text: &str) -> Message {
    Message::new("t", text.as_bytes().to_vec())
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.payload).into_owned()
}

impl TestBroker {
    /// A broker on which `publishes` calls may publish before the others have to wait.
    pub(super) fn new(publishes: usize) -> Self {
        Self(Arc::new(Inner {
            queue: Mutex::default(),
            arrived: Notify::new(),
            events: watch::Sender::new(Vec::new()),
            gate: Semaphore::new(publishes),
            refuses_acks: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            own: AtomicBool::new(false),
            left: watch::Sender::new(0),
            subscribed: Mutex::default(),
        }))
    }

    pub(super) fn put(&self, message: Message, attempt: u32) {
        self.0.queue.lock().unwrap().push_back((message, attempt));
        self.0.arrived.notify_one();
    }

    /// Puts a message for the first time.
    pub(super) fn put_text(&self, text: &str) {
        self.put(message(text), 1);
    }

    /// Lets `count` more calls publish.
    pub(super) fn open(&self, count: usize) {
        self.0.gate.add_permits(count);
    }

    pub(super) fn refuse_acks(&self, refuse: bool) {
        self.0.refuses_acks.store(refuse, Ordering::SeqCst);
    }

    /// Ends the consumer for good.
    pub(super) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.0.arrived.notify_one();
    }

    /// Has no other program fetch from it.
    pub(super) fn keep_to_itself(&self) {
        self.0.own.store(true, Ordering::SeqCst);
    }

    /// Waits until a consumer has left.
    pub(super) async fn is_left(&self) {
        let mut left = self.0.left.subscribe();
        assert!(timeout(PATIENCE, left.wait_for(|left| *left > 0)).await.is_ok(), "the consumer is still there");
    }

    pub(super) fn subscribed(&self) -> Vec<Subscription> {
        self.0.subscribed.lock().unwrap().clone()
    }

    pub(super) fn events(&self) -> Vec<Event> {
        self.0.events.borrow().clone()
    }

    /// Waits until the recorded calls satisfy `wanted`.
    pub(super) async fn until(&self, wanted: impl Fn(&[Event]) -> bool) -> Vec<Event> {
        let mut events = self.0.events.subscribe();
        match timeout(PATIENCE, events.wait_for(|events| wanted(events))).await {
            Ok(events) => events.unwrap().clone(),
            Err(_) => panic!("it did not come; there is {:?}", self.events()),
        }
    }

    /// Waits for `event`.
    pub(super) async fn wait_for(&self, event: Event) -> Vec<Event> {
        self.until(|events| events.contains(&event)).await
    }

    fn record(&self, event: Event) {
        self.0.events.send_modify(|events| events.push(event));
    }
}

#[async_trait]
impl Broker for TestBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        for message in &messages {
            self.record(Event::Published(text(message)));
            self.0.gate.acquire().await.unwrap().forget();
        }
        messages.iter().map(|_| Ok(())).collect()
    }

    async fn reply(&self, answer: Message) -> Result<()> {
        self.record(Event::Replied(answer.topic.clone(), text(&answer)));
        Ok(())
    }

    async fn request(&self, _: Message, _: usize, _: Duration) -> Result<Vec<Message>> {
        Err(Error::new(ErrorKind::NoResponders, "no responders here"))
    }

    async fn subscribe(&self, subscription: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        self.0.subscribed.lock().unwrap().push(subscription.clone());
        Ok(Box::new(TestConsumer(self.clone())))
    }

    fn is_shared(&self) -> bool {
        !self.0.own.load(Ordering::SeqCst)
    }
}

struct TestConsumer(TestBroker);

impl Drop for TestConsumer {
    fn drop(&mut self) {
        let TestBroker(inner) = &self.0;
        inner.left.send_modify(|left| *left += 1);
    }
}

#[async_trait]
impl Consumer for TestConsumer {
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>> {
        self.0.record(Event::Fetched(most));
        loop {
            let TestBroker(inner) = &self.0;
            if inner.closed.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Other, "the stream was deleted"));
            }
            let taken: Vec<_> = {
                let mut queue = inner.queue.lock().unwrap();
                let count = most.min(queue.len());
                queue.drain(..count).collect()
            };
            if !taken.is_empty() {
                return Ok(taken.into_iter().map(|(message, attempt)| self.0.delivery(message, attempt)).collect());
            }
            inner.arrived.notified().await;
        }
    }
}

impl TestBroker {
    fn delivery(&self, message: Message, attempt: u32) -> Delivery {
        let receipt = Box::new(TestReceipt { broker: self.clone(), text: text(&message) });
        Delivery::new(message, attempt, SystemTime::UNIX_EPOCH, receipt).with_sequence(7)
    }
}

struct TestReceipt {
    broker: TestBroker,
    text: String,
}

#[async_trait]
impl Receipt for TestReceipt {
    async fn ack(self: Box<Self>) -> Result<()> {
        if self.broker.0.refuses_acks.load(Ordering::SeqCst) {
            self.broker.record(Event::Published(format!("refused {}", self.text)));
            return Err(Error::new(ErrorKind::Unavailable, "the server cannot be reached"));
        }
        self.broker.record(Event::Acked(self.text.clone()));
        Ok(())
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<()> {
        self.broker.record(Event::Retried(self.text.clone(), delay));
        Ok(())
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        self.broker.record(Event::Rejected(self.text.clone(), reason.to_owned()));
        Ok(())
    }

    async fn extend(&self) -> Result<()> {
        self.broker.record(Event::Extended(self.text.clone()));
        Ok(())
    }
}
