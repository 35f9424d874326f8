//! Who may run now, who waits, and who is turned away.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tempo_telemetry::{GaugeGuard, Telemetry};

use crate::Limits;

/// A place to run one call, given back when it is dropped.
#[derive(Debug)]
pub struct Permit {
    _place: OwnedSemaphorePermit,
}

/// No place became free in time, or too many wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// The places of one component: all its triggers share them, so that none can use up the instance pool.
#[derive(Clone, Debug)]
pub struct Admission {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    patience: Duration,
    telemetry: Telemetry,
}

impl Admission {
    /// As many places and as long a queue as `limits` say.
    pub fn new(limits: &Limits, telemetry: Telemetry) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS))),
            queue: Arc::new(Semaphore::new(limits.queue.min(Semaphore::MAX_PERMITS))),
            patience: limits.queue_wait,
            telemetry,
        }
    }

    /// Takes a place, waiting for one if the queue has room.
    ///
    /// # Errors
    ///
    /// The queue is full, or no place became free in time.
    pub async fn enter(&self) -> Result<Permit, Overloaded> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        let _waiting = self.queue.try_acquire().map_err(|_| self.overloaded("max-queued-requests"))?;
        let _counted = GaugeGuard::new(&self.telemetry, |metrics| &metrics.calls_waiting);
        let begun = Instant::now();
        let place = tokio::time::timeout(self.patience, self.places.clone().acquire_owned()).await;
        if let Some(metrics) = self.telemetry.metrics() {
            metrics.queue_duration.record(begun.elapsed().as_secs_f64());
        }
        place
            .ok()
            .and_then(Result::ok)
            .map(|place| Permit { _place: place })
            .ok_or_else(|| self.overloaded("queue-timeout"))
    }

    fn overloaded(&self, limit: &'static str) -> Overloaded {
        self.telemetry.count_limit_hit(limit);
        Overloaded
    }

    /// Takes a place, however long that takes: for callers that bound by themselves how many of them wait, and that
    /// nobody would call again.
    pub async fn wait(&self) -> Permit {
        match self.places.clone().acquire_owned().await {
            Ok(place) => Permit { _place: place },
            // Nobody closes the semaphore.
            Err(_) => std::future::pending().await,
        }
    }

    /// Takes a place if one is free now.
    pub fn try_enter(&self) -> Option<Permit> {
        self.places.clone().try_acquire_owned().ok().map(|place| Permit { _place: place })
    }

    /// How many places are free.
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(requests: usize, queue: usize) -> Admission {
        Admission::new(
            &Limits { requests, queue, queue_wait: Duration::from_millis(20), ..Limits::default() },
            Telemetry::off(),
        )
    }

    #[tokio::test]
    async fn places_at_the_edge() {
        let admission = admission(2, 0);
        let first = admission.enter().await.unwrap();
        let _second = admission.enter().await.unwrap();
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
        drop(first);
        admission.enter().await.unwrap();
    }

    #[tokio::test]
    async fn one_waits_and_the_next_is_turned_away() {
        let admission = admission(1, 1);
        let place = admission.enter().await.unwrap();
        let mut waiting = std::pin::pin!(admission.enter());
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
        drop(place);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn who_waits_for_as_long_as_it_takes_is_not_turned_away() {
        let admission = admission(1, 0);
        let place = admission.enter().await.unwrap();
        let mut waiting = std::pin::pin!(admission.wait());
        tokio::time::sleep(Duration::from_millis(40)).await;
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(place);
        waiting.await;
    }

    #[tokio::test]
    async fn waiting_ends() {
        let admission = admission(1, 1);
        let _place = admission.enter().await.unwrap();
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
    }
}
