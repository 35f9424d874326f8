//! Admission control: bounds the calls that run at once, and the calls that wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tempo_telemetry::{GaugeGuard, Telemetry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Limits;
use crate::instruments::CallInstruments;

/// Permission to run one call. Dropping it releases it.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
}

/// The error of a call that is not admitted: the queue is full, or no permit was released in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls run or wait (--max-requests, --max-queued-requests)")]
#[non_exhaustive]
pub struct Overloaded;

/// The permits of one component. All its triggers share them, so that none can exhaust the instance pool.
///
/// ```
/// use tempo_core::{Admission, Limits};
/// use tempo_telemetry::Telemetry;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let mut limits = Limits::default();
/// limits.requests = 1;
/// limits.queue = 0;
/// let admission = Admission::new(&limits, Telemetry::off());
///
/// // The first call runs, and the second finds no permit and no room in the queue.
/// let permit = admission.enter().await.unwrap();
/// assert!(admission.enter().await.is_err());
///
/// // The end of a call releases its permit.
/// drop(permit);
/// assert!(admission.enter().await.is_ok());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Admission {
    permits: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    queue_timeout: Duration,
    telemetry: Telemetry,
    instruments: Option<Arc<CallInstruments>>,
}

impl Admission {
    /// Creates the permits and the queue that `limits` specify.
    pub fn new(limits: &Limits, telemetry: Telemetry) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS))),
            queue: Arc::new(Semaphore::new(limits.queue.min(Semaphore::MAX_PERMITS))),
            queue_timeout: limits.queue_wait,
            instruments: telemetry.instruments(),
            telemetry,
        }
    }

    /// Acquires a permit, and waits for one if the queue is not full.
    ///
    /// # Errors
    ///
    /// The queue is full, or no permit was released in time.
    pub async fn enter(&self) -> Result<Permit, Overloaded> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        let _waiting = self.queue.try_acquire().map_err(|_| self.overloaded("max-queued-requests"))?;
        let _counted = GaugeGuard::new(self.instruments.as_ref().map(|instruments| &instruments.calls_waiting));
        let begun = Instant::now();
        let permit = tokio::time::timeout(self.queue_timeout, self.permits.clone().acquire_owned()).await;
        if let Some(instruments) = &self.instruments {
            instruments.queue_duration.record(begun.elapsed().as_secs_f64());
        }
        permit
            .ok()
            .and_then(Result::ok)
            .map(|permit| Permit { _permit: permit })
            .ok_or_else(|| self.overloaded("queue-timeout"))
    }

    fn overloaded(&self, limit: &'static str) -> Overloaded {
        self.telemetry.count_limit_hit(limit);
        Overloaded
    }

    /// Acquires a permit without the queue's bound and timeout, for callers that bound the number of their waiters
    /// themselves and whose calls are not retried.
    pub async fn wait(&self) -> Permit {
        match self.permits.clone().acquire_owned().await {
            Ok(permit) => Permit { _permit: permit },
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Acquires a permit if one is available now.
    pub fn try_enter(&self) -> Option<Permit> {
        self.permits.clone().try_acquire_owned().ok().map(|permit| Permit { _permit: permit })
    }

    /// Returns the number of available permits.
    pub fn free(&self) -> usize {
        self.permits.available_permits()
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
    async fn permits_at_the_limit() {
        let admission = admission(2, 0);
        let first = admission.enter().await.unwrap();
        let _second = admission.enter().await.unwrap();
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
        drop(first);
        admission.enter().await.unwrap();
    }

    #[tokio::test]
    async fn a_call_waits_and_the_next_is_rejected() {
        let admission = admission(1, 1);
        let permit = admission.enter().await.unwrap();
        let mut waiting = std::pin::pin!(admission.enter());
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
        drop(permit);
        assert!(waiting.await.is_ok());
    }

    #[tokio::test]
    async fn wait_takes_no_place_in_the_queue_and_has_no_timeout() {
        let admission = admission(1, 1);
        let permit = admission.enter().await.unwrap();
        let mut waiting = std::pin::pin!(admission.wait());
        assert!(futures::poll!(&mut waiting).is_pending());
        // The queue is free for a request, which waits until its timeout.
        let mut queued = std::pin::pin!(admission.enter());
        assert!(futures::poll!(&mut queued).is_pending());
        assert_eq!(queued.await.unwrap_err(), Overloaded);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(permit);
        waiting.await;
    }

    #[tokio::test]
    async fn a_queued_call_times_out() {
        let admission = admission(1, 1);
        let _permit = admission.enter().await.unwrap();
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded);
    }
}
