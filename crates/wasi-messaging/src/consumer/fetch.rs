//! The loop of one subscription: it takes permits, fetches as many messages, and has each handled by a task of its own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

use super::disposition::Delivering;
use super::lanes::Lanes;
use super::phase::{Phase, reached};
use crate::Consumer;

/// The fetching of one subscription.
pub(super) struct Fetching {
    delivering: Arc<Delivering>,
    consumer: Box<dyn Consumer>,
    phases: watch::Receiver<Phase>,
    permits: Arc<Semaphore>,
    /// Set where messages of one key are handled one after the other.
    lanes: Option<Lanes>,
    /// The handlers that run: as many as there are permits given out. They run on the runtime of this task; calls that
    /// compute for long leave it by themselves (`tempo_core::Call`). What spawns here is where threads would be chosen.
    running: JoinSet<()>,
}

impl Fetching {
    pub(super) fn new(
        delivering: Arc<Delivering>,
        consumer: Box<dyn Consumer>,
        phases: watch::Receiver<Phase>,
    ) -> Self {
        let most = delivering.most();
        let lanes = delivering.subscription().ordered.then(|| Lanes::new(most));
        let permits = Arc::new(Semaphore::new(most));
        Self { delivering, consumer, phases, permits, lanes, running: JoinSet::new() }
    }

    /// Delivers until the consumer is told to stop, and returns when the last handler has ended.
    ///
    /// # Errors
    ///
    /// The subscription is gone for good; the handlers that ran have ended.
    pub(super) async fn run(mut self) -> crate::Result<()> {
        let mut stop = self.phases.clone();
        let ended = loop {
            let round = tokio::select! {
                biased;
                () = reached(&mut stop, Phase::Draining) => break Ok(()),
                round = self.round() => round,
            };
            if let Err(error) = round {
                break Err(error);
            }
        };
        // What it holds goes to other programs at once, and nothing more comes here.
        drop(self.consumer);
        while let Some(ended) = self.running.join_next().await {
            report(ended);
        }
        ended
    }

    /// Takes what permits there are, at least one, and fetches no more messages than that.
    async fn round(&mut self) -> crate::Result<()> {
        let mut permits = match self.permits.clone().acquire_owned().await {
            Ok(permit) => permit,
            // Nobody closes the semaphore.
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
            // A broker that hands over more than was asked for has the rest delivered again.
            let Some(permit) = permits.split(1) else { break };
            let key = delivery.message.key.as_deref();
            let turn = self.lanes.as_mut().zip(key).map(|(lanes, key)| lanes.turn(key));
            // Boxed, because it is large and would be copied on its way into the task.
            self.running.spawn(Box::pin(self.delivering.clone().run(delivery, turn, permit)));
        }
        Ok(())
    }

    /// All permits that are free now.
    fn free(&self) -> Option<OwnedSemaphorePermit> {
        let free = u32::try_from(self.permits.available_permits()).ok().filter(|free| *free > 0)?;
        self.permits.clone().try_acquire_many_owned(free).ok()
    }
}

fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        // The message is delivered again when its time is over, as after any other end of this process.
        tracing::error!(%error, "the host failed over a message");
    }
}
