//! Fetching: waiting for messages without polling, and giving back what nobody took over.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::clock::time;
use super::receipt::Handle;
use super::{Engine, Log, Recorded};
use crate::{Adoption, Consumer, Delivery, Result};

/// The most messages that one fetch takes.
const MOST: usize = 1024;

/// Somebody who has joined a consumer.
pub(super) struct Member<L: Log> {
    engine: Arc<Engine<L>>,
    consumer: u32,
    wake: Arc<Notify>,
    adoption: Option<Adoption>,
}

/// What was taken for a fetch, and is given back if the fetch does not return it.
struct Taken<'a, L: Log> {
    member: &'a Member<L>,
    messages: Vec<(u64, u32)>,
}

/// Of all who wait, only one may know when the next message comes back. When that one leaves, another takes over.
struct Watch<'a>(&'a Notify);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl<L: Log> Member<L> {
    pub(super) fn new(engine: Arc<Engine<L>>, consumer: u32, adoption: Option<Adoption>) -> Self {
        let wake = engine.state().group(consumer).map(|group| group.wake.clone()).unwrap_or_default();
        Self { engine, consumer, wake, adoption }
    }

    /// Takes what can be delivered now. If that is nothing: how long to wait for something.
    async fn take(&self, most: usize) -> Result<std::result::Result<(Taken<'_, L>, Recorded), Duration>> {
        let room = self.engine.room().await?;
        let mut state = self.engine.state();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let now = self.engine.clock.now();
        let mut journal = Vec::new();
        let messages = state.take(self.consumer, most, now, &mut journal);
        if messages.is_empty() {
            let next = state.group(self.consumer).and_then(|group| group.next());
            return Ok(Err(Duration::from_millis(next.map_or(u64::MAX, |next| next.saturating_sub(now)))));
        }
        let read = messages.iter().map(|(sequence, _)| *sequence).collect();
        let recorded = self.engine.log.record(room, journal, read);
        Ok(Ok((Taken { member: self, messages }, recorded)))
    }

    /// Hands over what was taken, once the log knows of it.
    async fn hand_over(&self, mut taken: Taken<'_, L>, recorded: Recorded) -> Result<Vec<Delivery>> {
        let read = self.engine.settle(recorded).await?;
        let messages = std::mem::take(&mut taken.messages);
        let deliveries = messages.into_iter().zip(read).filter_map(|((sequence, attempt), stored)| {
            // Nothing is there if the consumer's topics have changed meanwhile.
            let stored = stored?;
            let handle = Handle { engine: self.engine.clone(), consumer: self.consumer, taken: (sequence, attempt) };
            Some(Delivery {
                message: stored.message,
                attempt,
                timestamp: time(stored.timestamp),
                sequence: Some(sequence),
                refusal: None,
                receipt: Box::new(handle),
            })
        });
        Ok(deliveries.collect())
    }
}

#[async_trait]
impl<L: Log> Consumer for Member<L> {
    async fn fetch(&mut self, most: usize) -> Result<Vec<Delivery>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let _watch = Watch(&self.wake);
        loop {
            let mut woken = pin!(self.wake.notified());
            // From here on, what comes between a look and the wait ends the wait.
            woken.as_mut().enable();
            match self.take(most.min(MOST)).await? {
                Ok((taken, recorded)) => {
                    let deliveries = self.hand_over(taken, recorded).await?;
                    if !deliveries.is_empty() {
                        return Ok(deliveries);
                    }
                }
                Err(wait) => drop(tokio::time::timeout(wait, woken).await),
            }
        }
    }

    fn adoption(&self) -> Option<&Adoption> {
        self.adoption.as_ref()
    }
}

impl<L: Log> Drop for Taken<'_, L> {
    fn drop(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let engine = &self.member.engine;
        let mut state = engine.state();
        let mut journal = Vec::new();
        state.give_back(self.member.consumer, &self.messages, &mut journal);
        // Without room it is not written down that these deliveries did not happen. That matters only to an engine that is
        // opened again before they are delivered: it counts one attempt too many.
        if let Some(room) = engine.log.room_now() {
            drop(engine.log.record(room, journal, Vec::new()));
        }
    }
}
