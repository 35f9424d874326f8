//! Receipts of the embedded broker.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::clock::millis;
use super::{Engine, Log};
use crate::{Receipt, Result};

/// Settles one delivery of the engine.
pub(super) struct EngineReceipt<L: Log> {
    pub(super) engine: Arc<Engine<L>>,
    pub(super) consumer: u32,
    /// Sequence of the message, and the number of the attempt.
    pub(super) taken: (u64, u32),
}

#[async_trait]
impl<L: Log> Receipt for EngineReceipt<L> {
    /// A late ack counts too: the message was handled.
    async fn ack(self: Box<Self>) -> Result<()> {
        let (sequence, _) = self.taken;
        self.engine.change(|state, journal| state.finish(self.consumer, sequence, journal)).await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<()> {
        let until = match millis(delay) {
            0 => 0,
            // The clock truncates to milliseconds: round up.
            delay => self.engine.clock.now().saturating_add(delay).saturating_add(1),
        };
        self.engine.change(|state, journal| state.retry(self.consumer, self.taken, until, journal)).await
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        let now = self.engine.clock.now();
        self.engine.change(|state, journal| state.reject(self.consumer, self.taken, reason, now, journal)).await
    }

    /// Not logged: a reopened engine redelivers in-flight messages at once.
    async fn extend(&self) -> Result<()> {
        let now = self.engine.clock.now();
        self.engine.state().extend(self.consumer, self.taken, now);
        Ok(())
    }
}
