//! `AppShare`: the share of one component in the permits of its app.

use std::pin::pin;
use std::sync::Arc;

use futures::future::select;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{AppAdmission, Limits};

/// The share of a component in the permits of its app.
#[derive(Clone, Debug)]
pub(crate) struct AppShare {
    app: AppAdmission,
    /// The component's own maximum at each depth from 1 on.
    inner: Arc<[(Arc<Semaphore>, usize)]>,
    /// The permits that no other component takes.
    reserved: Option<Arc<Semaphore>>,
}

impl AppShare {
    /// Creates the share of a component with `limits`.
    pub(crate) fn new(app: &AppAdmission, limits: &Limits) -> Self {
        let inner = (1..app.depths()).filter_map(|depth| {
            let (_, size) = app.level(depth)?;
            // A component without a maximum of its own may take all permits.
            let size = if limits.requests < app.requests() { size.min(limits.requests) } else { size };
            Some((Arc::new(Semaphore::new(size.min(Semaphore::MAX_PERMITS))), size))
        });
        let reserved = (limits.reserved > 0).then(|| Arc::new(Semaphore::new(limits.reserved.min(app.requests()))));
        Self { app: app.clone(), inner: inner.collect(), reserved }
    }

    /// Returns the component's own permits of calls at `depth`, from 1 on.
    pub(crate) fn own(&self, depth: usize) -> Option<&Arc<Semaphore>> {
        self.inner.get(depth.checked_sub(1)?).map(|(permits, _)| permits)
    }

    /// Waits for a permit of the app. Returns `None` if there are none of this depth.
    pub(crate) async fn acquire(&self, depth: usize) -> Option<OwnedSemaphorePermit> {
        let (shared, _) = self.app.level(depth)?;
        let shared = shared.clone().acquire_owned();
        match &self.reserved {
            Some(reserved) if depth == 0 => {
                let reserved = reserved.clone().acquire_owned();
                select(pin!(reserved), pin!(shared)).await.factor_first().0.ok()
            }
            _ => shared.await.ok(),
        }
    }

    /// Acquires a permit of the app if one is available now.
    pub(crate) fn try_acquire(&self, depth: usize) -> Option<OwnedSemaphorePermit> {
        let reserved = self.reserved.as_ref().filter(|_| depth == 0);
        if let Some(permit) = reserved.and_then(|reserved| reserved.clone().try_acquire_owned().ok()) {
            return Some(permit);
        }
        let (shared, _) = self.app.level(depth)?;
        shared.clone().try_acquire_owned().ok()
    }

    /// Waits for the permit of a call whose response streams.
    pub(crate) async fn acquire_stream(&self) -> Option<OwnedSemaphorePermit> {
        self.app.streams.clone().acquire_owned().await.ok()
    }

    /// Returns the number of available permits for calls that no other call waits for.
    pub(crate) fn free(&self) -> usize {
        let reserved = self.reserved.as_ref().map_or(0, |reserved| reserved.available_permits());
        let shared = self.app.level(0).map_or(0, |(shared, _)| shared.available_permits());
        reserved.saturating_add(shared)
    }

    /// Returns whether more than half of the app's permits of either kind are taken.
    pub(crate) fn is_busy(&self) -> bool {
        self.app.is_busy()
    }

    /// Returns the number of the component's calls that other calls wait for.
    pub(crate) fn running(&self) -> usize {
        let taken = |(permits, size): &(Arc<Semaphore>, usize)| size.saturating_sub(permits.available_permits());
        self.inner.iter().map(taken).fold(0, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempo_telemetry::Telemetry;

    use super::*;
    use crate::{Admission, Overloaded};

    fn limits(requests: usize, reserved: usize) -> Limits {
        Limits { requests, reserved, queue: 4, queue_wait: Duration::from_millis(20), ..Limits::default() }
    }

    fn admission(app: &AppAdmission, limits: &Limits) -> Admission {
        Admission::new(limits, Telemetry::off()).within(app, limits)
    }

    #[tokio::test]
    async fn components_share_the_permits_of_the_process() {
        let app = AppAdmission::new(&limits(3, 0), 0, 0);
        let (one, other) = (admission(&app, &limits(2, 0)), admission(&app, &limits(3, 0)));
        let held = [one.enter().await.unwrap(), one.enter().await.unwrap()];
        assert_eq!(one.enter().await.unwrap_err(), Overloaded::Calls, "its own maximum");
        let last = other.enter().await.unwrap();
        assert_eq!(other.enter().await.unwrap_err(), Overloaded::Calls, "the maximum of the process");
        assert_eq!((one.running(), other.running(), other.free()), (2, 1, 0));
        drop((held, last));
        assert!(other.enter().await.is_ok());
    }

    #[tokio::test]
    async fn reserved_permits_are_left_to_their_component() {
        let process = limits(3, 0);
        let app = AppAdmission::new(&process, 0, 1);
        let (guaranteed, other) = (admission(&app, &limits(3, 1)), admission(&app, &process));
        let held = [other.enter().await.unwrap(), other.enter().await.unwrap()];
        assert_eq!(other.enter().await.unwrap_err(), Overloaded::Calls);
        let reserved = guaranteed.enter().await.unwrap();
        let mut waiting = std::pin::pin!(guaranteed.enter());
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(held);
        let shared = waiting.await.unwrap();
        drop((reserved, shared));
        assert_eq!(guaranteed.free(), 3);
    }

    #[tokio::test]
    async fn a_call_in_a_chain_has_a_permit_of_its_depth() {
        let process = limits(1, 0);
        let app = AppAdmission::new(&process, 2, 0);
        let component = admission(&app, &process);
        let _first = component.enter().await.unwrap();
        let inner = component.enter_at(1).await.unwrap();
        let _innermost = component.enter_at(2).await.unwrap();
        assert_eq!(component.enter_at(3).await.unwrap_err(), Overloaded::Calls, "no such depth");
        assert_eq!(component.running(), 3);
        drop(inner);
        assert_eq!(component.running(), 2);
    }
}
