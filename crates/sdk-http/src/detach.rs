//! Work that outlives the handler without a spawned task.
//!
//! The usual body is one piece of bytes that is at hand when the response is. A spawned task for it would cost the host calls
//! of a wake-up stream and several allocations on each request. Such a write needs less: it waits on handles of the host
//! alone, so its waker can drive it, and the task is not over before the last handle that someone waits on has reported.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Detached(Mutex<Option<Work>>);

/// Starts `work` and lets it finish by itself.
///
/// `work` must wait for streams, futures and calls of the host only: a wake-up that comes while it is polled is dropped.
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) {
    Arc::new(Detached(Mutex::new(Some(Box::pin(work))))).wake();
}

impl Wake for Detached {
    fn wake(self: Arc<Self>) {
        let Ok(mut slot) = self.0.try_lock() else { return };
        let waker = Waker::from(self.clone());
        if let Some(work) = slot.as_mut()
            && work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            *slot = None;
        }
    }
}
