//! The fetch loop of a subscription: takes permits, fetches as many messages, and spawns a task for each.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use super::disposition::Dispatcher;
use super::lanes::Lanes;
use super::phase::{StopPhase, reached};
use crate::Consumer;

/// Fetches and dispatches the messages of one subscription.
pub(super) struct FetchLoop {
    dispatcher: Arc<Dispatcher>,
    consumer: Box<dyn Consumer>,
    phases: watch::Receiver<StopPhase>,
    permits: Arc<Semaphore>,
    /// Set for ordered subscriptions.
    lanes: Option<Lanes>,
    /// The running handlers, one per permit. They run on this task's runtime; long computations leave it by themselves
    /// (`tempo_core::Call`).
    running: JoinSet<()>,
}

impl FetchLoop {
    pub(super) fn new(
        dispatcher: Arc<Dispatcher>,
        consumer: Box<dyn Consumer>,
        phases: watch::Receiver<StopPhase>,
    ) -> Self {
        let most = dispatcher.max_in_flight();
        let lanes = dispatcher.subscription().ordered.then(|| Lanes::new(most));
        let permits = Arc::new(Semaphore::new(most));
        Self { dispatcher, consumer, phases, permits, lanes, running: JoinSet::new() }
    }

    /// Runs until the consumer drains, and returns when the last handler has ended.
    ///
    /// # Errors
    ///
    /// The consumer no longer exists; running handlers have ended.
    pub(super) async fn run(mut self) -> crate::Result<()> {
        let mut stop = self.phases.clone();
        let ended = loop {
            let round = tokio::select! {
                biased;
                () = reached(&mut stop, StopPhase::Draining) => break Ok(()),
                round = self.round() => round,
            };
            if let Err(error) = round {
                break Err(error);
            }
        };
        // Gives buffered messages back at once and stops fetching.
        drop(self.consumer);
        while let Some(ended) = self.running.join_next().await {
            report(ended);
        }
        ended
    }

    /// Takes all free permits, at least one, and fetches no more messages than that.
    async fn round(&mut self) -> crate::Result<()> {
        let mut permits = match self.permits.clone().acquire_owned().await {
            Ok(permit) => permit,
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        };
        while let Some(ended) = self.running.try_join_next() {
            report(ended);
        }
        if let Some(more) = self.free() {
            permits.merge(more);
        }
        let deliveries = self.consumer.fetch(permits.num_permits()).await?;
        for delivery in deliveries {
            // Surplus messages of a broker are redelivered.
            let Some(permit) = permits.split(1) else { break };
            let key = delivery.message.key.as_deref();
            let turn = self.lanes.as_mut().zip(key).map(|(lanes, key)| lanes.turn(key));
            // Boxed: a large future that would be copied into the task.
            self.running.spawn(Box::pin(self.dispatcher.clone().run(delivery, turn, permit)));
        }
        Ok(())
    }

    /// Takes all free permits.
    fn free(&self) -> Option<OwnedSemaphorePermit> {
        let free = u32::try_from(self.permits.available_permits()).ok().filter(|free| *free > 0)?;
        self.permits.clone().try_acquire_many_owned(free).ok()
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        // The broker redelivers the message after `ack_wait`.
        tracing::error!(%error, "the host failed over a message");
    }
}
