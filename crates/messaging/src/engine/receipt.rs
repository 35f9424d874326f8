//! What becomes of a delivery.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::clock::millis;
use super::{Engine, Log};
use crate::{Receipt, Result};

/// One delivery.
pub(super) struct Handle<L: Log> {
    pub(super) engine: Arc<Engine<L>>,
    pub(super) consumer: u32,
    /// The message, and which of its deliveries this is.
    pub(super) taken: (u64, u32),
}

#[async_trait]
impl<L: Log> Receipt for Handle<L> {
    /// Even one that comes late counts: the message was handled.
    async fn ack(self: Box<Self>) -> Result<()> {
        let (sequence, _) = self.taken;
        self.engine.change(|state, journal| state.finish(self.consumer, sequence, journal)).await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<()> {
        let until = match millis(delay) {
            0 => 0,
            // What the clock does not show of the present millisecond has not passed yet.
            delay => self.engine.clock.now().saturating_add(delay).saturating_add(1),
        };
        self.engine.change(|state, journal| state.retry(self.consumer, self.taken, until, journal)).await
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        let now = self.engine.clock.now();
        self.engine.change(|state, journal| state.reject(self.consumer, self.taken, reason, now, journal)).await
    }

    /// Nothing is written down: an engine that is opened again delivers at once what was being handled.
    async fn extend(&self) -> Result<()> {
        let now = self.engine.clock.now();
        self.engine.state().extend(self.consumer, self.taken, now);
        Ok(())
    }
}
