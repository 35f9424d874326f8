//! Fetching: waits for messages without polling, and returns unclaimed ones to the queue.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use super::clock::time;
use super::receipt::EngineReceipt;
use super::{Engine, Log, Recorded};
use crate::{Adoption, Consumer, Delivery, Result};

/// Maximum messages per fetch.
const MAX_FETCH_MESSAGES: usize = 1024;

/// One member of a consumer.
pub(super) struct Member<L: Log> {
    engine: Arc<Engine<L>>,
    consumer: u32,
    wake: Arc<Notify>,
    adoption: Option<Adoption>,
}

/// Messages taken for a fetch. Dropping this returns them to the queue.
struct UnreturnedBatch<'a, L: Log> {
    member: &'a Member<L>,
    messages: Vec<(u64, u32)>,
}

/// Wakes another waiting member on drop: only one of them waits with the timer of the next redelivery.
struct WakeNext<'a>(&'a Notify);

impl Drop for WakeNext<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl<L: Log> Member<L> {
    pub(super) fn new(engine: Arc<Engine<L>>, consumer: u32, adoption: Option<Adoption>) -> Self {
        let wake = engine.state().group(consumer).map(|group| group.wake.clone()).unwrap_or_default();
        Self { engine, consumer, wake, adoption }
    }

    /// Takes deliverable messages. If there are none, returns how long to wait.
    async fn take(&self, most: usize) -> Result<std::result::Result<(UnreturnedBatch<'_, L>, Recorded), Duration>> {
        let permit = self.engine.reserve().await?;
        let mut state = self.engine.state();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let now = self.engine.clock.now();
        let mut journal = Vec::new();
        let messages = state.take(self.consumer, most, now, &mut journal);
        if messages.is_empty() {
            let next = state.group(self.consumer).and_then(|group| group.next_due());
            return Ok(Err(Duration::from_millis(next.map_or(u64::MAX, |next| next.saturating_sub(now)))));
        }
        let read = messages.iter().map(|(sequence, _)| *sequence).collect();
        let recorded = self.engine.log.record(permit, journal, read);
        Ok(Ok((UnreturnedBatch { member: self, messages }, recorded)))
    }

    /// Returns the deliveries once the log has committed them.
    async fn hand_over(&self, mut taken: UnreturnedBatch<'_, L>, recorded: Recorded) -> Result<Vec<Delivery>> {
        let read = self.engine.settle(recorded).await?;
        let messages = std::mem::take(&mut taken.messages);
        let deliveries = messages.into_iter().zip(read).filter_map(|((sequence, attempt), stored)| {
            // The message is gone if the consumer's topics have changed.
            let stored = stored?;
            let receipt =
                EngineReceipt { engine: self.engine.clone(), consumer: self.consumer, taken: (sequence, attempt) };
            Some(Delivery {
                message: stored.message,
                attempt,
                timestamp: time(stored.timestamp),
                sequence: Some(sequence),
                refusal: None,
                receipt: Box::new(receipt),
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
        let _watch = WakeNext(&self.wake);
        loop {
            let mut woken = pin!(self.wake.notified());
            // Registers now, so that a message between the check and the wait ends the wait.
            woken.as_mut().enable();
            match self.take(most.min(MAX_FETCH_MESSAGES)).await? {
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

impl<L: Log> Drop for UnreturnedBatch<'_, L> {
    fn drop(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let engine = &self.member.engine;
        let mut state = engine.state();
        let mut journal = Vec::new();
        state.give_back(self.member.consumer, &self.messages, &mut journal);
        // If the queue is full, the returned attempts are not logged. That matters only if the engine restarts before
        // they are redelivered: it then counts one attempt too many.
        if let Some(permit) = engine.log.try_reserve() {
            drop(engine.log.record(permit, journal, Vec::new()));
        }
    }
}
