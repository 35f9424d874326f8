//! Runs a future after the handler has returned, without a spawned task.
//!
//! The usual body is one chunk that exists together with the response. A spawned task for it would cost host calls for
//! a wake-up stream and several allocations per request. Such a write waits only for handles of the host, so its waker
//! can drive it, and the task stays alive until the last handle that it waits for has completed.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Detached(Mutex<Option<Work>>);

/// Starts `work` and drives it to completion.
///
/// `work` must wait for streams, futures and calls of the host only: a wake-up during a poll is lost.
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
