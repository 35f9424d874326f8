//! Admission control: bounds the calls that run at once, and the calls that wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempo_telemetry::{GaugeGuard, Telemetry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::app_share::AppShare;
use crate::instruments::CallInstruments;
use crate::{AppAdmission, Limits};

/// Permission to run one call. Dropping it releases it.
#[derive(Debug)]
pub struct Permit {
    _permit: OwnedSemaphorePermit,
    /// That of the app.
    _shared: Option<OwnedSemaphorePermit>,
}

/// The permit of the call that runs in a store, if one runs. The call and its store share it: it is released when both have
/// ended, so a store that exists has a permit.
#[derive(Clone, Debug)]
pub(crate) struct PermitSlot(Arc<Mutex<Option<Permit>>>);

impl PermitSlot {
    pub(crate) fn new(permit: Permit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// Replaces the permit, and returns the previous one.
    pub(crate) fn replace(&self, permit: Option<Permit>) -> Option<Permit> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), permit)
    }
}

/// The error of a call that is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Overloaded {
    /// The queue is full, or no permit was released in time.
    #[error("too many calls run or wait (--max-requests, --max-queued-requests)")]
    Calls,
    /// No permit for a response that streams was released in time.
    #[error("too many responses stream (--max-streams)")]
    Streams,
}

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
    /// The permits of calls whose response streams, which may take hours.
    streams: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    requests: usize,
    max_streams: usize,
    queue_timeout: Duration,
    telemetry: Telemetry,
    instruments: Option<Arc<CallInstruments>>,
    /// The component's share in the permits of its app.
    share: Option<AppShare>,
}

impl Admission {
    /// Creates the permits and the queue that `limits` specify.
    pub fn new(limits: &Limits, telemetry: Telemetry) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(limits.requests.min(Semaphore::MAX_PERMITS))),
            streams: Arc::new(Semaphore::new(limits.streams().min(Semaphore::MAX_PERMITS))),
            queue: Arc::new(Semaphore::new(limits.queue.min(Semaphore::MAX_PERMITS))),
            requests: limits.requests,
            max_streams: limits.streams(),
            queue_timeout: limits.queue_wait,
            instruments: telemetry.instruments(),
            telemetry,
            share: None,
        }
    }

    /// Makes each call take a permit of `app` too.
    #[must_use]
    pub fn within(self, app: &AppAdmission, limits: &Limits) -> Self {
        Self { share: Some(AppShare::new(app, limits)), ..self }
    }

    /// Acquires a permit, and waits for one if the queue is not full.
    ///
    /// # Errors
    ///
    /// The queue is full, or no permit was released in time.
    pub async fn enter(&self) -> Result<Permit, Overloaded> {
        self.enter_at(0).await
    }

    /// As [`enter`](Self::enter), for a call that another call of the app waits for, at this depth of the chain.
    ///
    /// # Errors
    ///
    /// As [`enter`](Self::enter); also if the app has no permits of this depth.
    pub async fn enter_at(&self, depth: usize) -> Result<Permit, Overloaded> {
        match self.try_enter_at(depth) {
            Some(permit) => Ok(permit),
            // On the heap: the future of a call that finds a permit stays small.
            None => Box::pin(self.wait_at(depth)).await,
        }
    }

    /// Waits for a permit, unless the queue is full.
    async fn wait_at(&self, depth: usize) -> Result<Permit, Overloaded> {
        let overloaded = |limit| self.overloaded(Overloaded::Calls, limit);
        let _waiting = self.queue.try_acquire().map_err(|_| overloaded("max-queued-requests"))?;
        let _counted = GaugeGuard::new(self.instruments.as_ref().map(|instruments| &instruments.calls_waiting));
        let begun = Instant::now();
        let permit = tokio::time::timeout(self.queue_timeout, self.acquire(depth)).await;
        if let Some(instruments) = &self.instruments {
            instruments.queue_duration.record(begun.elapsed().as_secs_f64());
        }
        permit.ok().flatten().ok_or_else(|| overloaded("queue-timeout"))
    }

    /// Returns the component's own permits of calls at `depth`.
    fn own(&self, depth: usize) -> Option<&Arc<Semaphore>> {
        match (depth, &self.share) {
            (0, _) => Some(&self.permits),
            (_, Some(share)) => share.own(depth),
            (_, None) => None,
        }
    }

    /// Waits for a permit. Returns `None` if there are none of this depth.
    async fn acquire(&self, depth: usize) -> Option<Permit> {
        let permit = self.own(depth)?.clone().acquire_owned().await.ok()?;
        let shared = match &self.share {
            Some(share) => Some(share.acquire(depth).await?),
            None => None,
        };
        Some(Permit { _permit: permit, _shared: shared })
    }

    fn try_enter_at(&self, depth: usize) -> Option<Permit> {
        let permit = self.own(depth)?.clone().try_acquire_owned().ok()?;
        let shared = match &self.share {
            Some(share) => Some(share.try_acquire(depth)?),
            None => None,
        };
        Some(Permit { _permit: permit, _shared: shared })
    }

    /// Acquires the permit of a call whose response streams, and waits for one as long as [`enter`](Self::enter) does. The
    /// caller has a permit already, which bounds the number of calls that wait.
    ///
    /// # Errors
    ///
    /// No permit was released in time.
    pub async fn enter_stream(&self) -> Result<Permit, Overloaded> {
        let acquire = async {
            let permit = self.streams.clone().acquire_owned().await.ok()?;
            let shared = match &self.share {
                Some(share) => Some(share.acquire_stream().await?),
                None => None,
            };
            Some(Permit { _permit: permit, _shared: shared })
        };
        let permit = tokio::time::timeout(self.queue_timeout, acquire).await;
        permit.ok().flatten().ok_or_else(|| self.overloaded(Overloaded::Streams, "max-streams"))
    }

    fn overloaded(&self, error: Overloaded, limit: &'static str) -> Overloaded {
        self.telemetry.count_limit_hit(limit);
        error
    }

    /// Acquires a permit without the queue's bound and timeout, for callers that bound the number of their waiters
    /// themselves and whose calls are not retried.
    pub async fn wait(&self) -> Permit {
        match self.acquire(0).await {
            Some(permit) => permit,
            // The semaphores are never closed.
            None => std::future::pending().await,
        }
    }

    /// Acquires a permit if one is available now.
    pub fn try_enter(&self) -> Option<Permit> {
        self.try_enter_at(0)
    }

    /// Returns the number of available permits, without those of [`enter_stream`](Self::enter_stream).
    pub fn free(&self) -> usize {
        let shared = self.share.as_ref().map_or(usize::MAX, AppShare::free);
        self.permits.available_permits().min(shared)
    }

    /// Returns whether more than half of the permits of either kind are taken.
    pub fn is_busy(&self) -> bool {
        let own = self.permits.available_permits() < self.requests.div_ceil(2)
            || self.streams.available_permits() < self.max_streams.div_ceil(2);
        own || self.share.as_ref().is_some_and(AppShare::is_busy)
    }

    /// Returns the number of calls of the component that have a permit, of any kind.
    pub fn running(&self) -> usize {
        let requests = self.requests.saturating_sub(self.permits.available_permits());
        let streams = self.max_streams.saturating_sub(self.streams.available_permits());
        let inner = self.share.as_ref().map_or(0, AppShare::running);
        requests.saturating_add(streams).saturating_add(inner)
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
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded::Calls);
        drop(first);
        admission.enter().await.unwrap();
    }

    #[tokio::test]
    async fn a_call_waits_and_the_next_is_rejected() {
        let admission = admission(1, 1);
        let permit = admission.enter().await.unwrap();
        let mut waiting = std::pin::pin!(admission.enter());
        assert!(futures::poll!(&mut waiting).is_pending());
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded::Calls);
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
        assert_eq!(queued.await.unwrap_err(), Overloaded::Calls);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(permit);
        waiting.await;
    }

    #[tokio::test]
    async fn responses_that_stream_have_permits_of_their_own() {
        let admission = admission(2, 0);
        let (_first, _second) = (admission.enter().await.unwrap(), admission.enter().await.unwrap());
        let stream = admission.enter_stream().await.unwrap();
        assert_eq!((admission.free(), admission.running()), (0, 3));
        assert_eq!(admission.enter_stream().await.unwrap_err(), Overloaded::Streams);
        drop(stream);
        assert_eq!(admission.running(), 2);
        admission.enter_stream().await.unwrap();
    }

    #[tokio::test]
    async fn a_queued_call_times_out() {
        let admission = admission(1, 1);
        let _permit = admission.enter().await.unwrap();
        assert_eq!(admission.enter().await.unwrap_err(), Overloaded::Calls);
    }
}
