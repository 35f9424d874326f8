//! A recording broker, for tests of the host functions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tempo_backend::Backends;
use tempo_core::Limits;
use wasmtime::component::ResourceTable;

use crate::{
    Broker, Consumer, Error, ErrorKind, Message, MessagingCtx, MessagingView, Result, Subscription, WasiMessaging,
};

/// A call of a [`Recorder`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Recorded {
    Publish(Vec<Message>),
    Reply(Message),
    Request(Message, usize, Duration),
}

/// Accepts all messages except on the topic `full`, and answers requests from a queue.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    calls: Arc<Mutex<Vec<Recorded>>>,
    answers: Arc<Mutex<VecDeque<Result<Vec<Message>>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Recorder {
    /// Takes the calls since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Recorded> {
        std::mem::take(&mut *lock(&self.calls))
    }

    /// Queues the answer to a request.
    pub(crate) fn answer(&self, answer: Result<Vec<Message>>) {
        lock(&self.answers).push_back(answer);
    }

    /// The state of a store with this broker as `default`.
    pub(crate) fn state(&self) -> MessagingCtx {
        let broker: Arc<dyn Broker> = Arc::new(self.clone());
        MessagingCtx::new(Backends::new([("default".to_owned(), broker)]), &Limits::default())
    }

    /// The data of a store.
    pub(crate) fn data(&self) -> StoreData {
        StoreData { messaging: self.state(), table: ResourceTable::new() }
    }
}

#[async_trait]
impl Broker for Recorder {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        let full = || Error::new(ErrorKind::QuotaExceeded, "there is no room");
        let results = messages.iter().map(|message| if message.topic == "full" { Err(full()) } else { Ok(()) });
        let results = results.collect();
        lock(&self.calls).push(Recorded::Publish(messages));
        results
    }

    async fn reply(&self, answer: Message) -> Result<()> {
        lock(&self.calls).push(Recorded::Reply(answer));
        Ok(())
    }

    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>> {
        lock(&self.calls).push(Recorded::Request(message, replies, timeout));
        lock(&self.answers).pop_front().unwrap_or_else(|| Err(Error::new(ErrorKind::Timeout, "no answer came in time")))
    }

    async fn subscribe(&self, _: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        Err(tempo_settings::Error::internal("nothing is delivered"))
    }
}

/// The data of a store.
pub(crate) struct StoreData {
    pub(crate) messaging: MessagingCtx,
    pub(crate) table: ResourceTable,
}

impl tempo_core::Provide<WasiMessaging> for StoreData {
    fn provide(&mut self) -> MessagingView<'_> {
        self.messaging.view(&mut self.table)
    }
}

/// A message with only a topic and a payload.
pub(crate) fn message(topic: &str, payload: &'static str) -> Message {
    Message::new(topic, payload)
}
