//! Tasks and timers: work concurrent with the handler or after its response.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use wasip3::clocks::monotonic_clock;

use crate::{Error, ErrorKind};

/// Runs `task` concurrently with the handler, and after the handler has returned.
///
/// Hosts limit how long an instance may run after its response.
///
/// # Panics
/// Panics outside a handler, where no executor would drive the task.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    drop(wit_bindgen::spawn_local(tempo_sdk_trace::task(task)));
}

/// Waits for `duration`, at most 584 years.
pub async fn sleep(duration: Duration) {
    monotonic_clock::wait_for(nanoseconds(duration)).await;
}

/// Converts to the nanoseconds of `wasi:clocks`.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Runs `work`, and returns a timeout error if it takes longer than `limit`.
pub(crate) async fn timeout<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let mut work = pin!(work);
    let mut clock = pin!(sleep(limit));
    poll_fn(|cx| {
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        clock.as_mut().poll(cx).map(|()| Err(Error::new(ErrorKind::Timeout, format!("no response within {limit:?}"))))
    })
    .await
}

/// Runs `call`, the root task of an export, beside an idle task once it waits.
///
/// wit-bindgen polls the tasks of a call in a `FuturesUnordered`, which yields after it has polled each of them. With a
/// single task, that is after every poll: each time the task waits, the host would call the component once more for nothing.
pub(crate) async fn root<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    let mut idle = None;
    poll_fn(|cx| {
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() && idle.is_none() {
            // The task ends when `idle` is dropped.
            let (sender, ended) = oneshot::channel::<()>();
            drop(wit_bindgen::spawn_local(async { ended.await.unwrap_or_default() }));
            idle = Some(sender);
        }
        polled
    })
    .await
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

struct Detached(Mutex<Option<Work>>);

/// Starts `work` and drives it to completion, also after the handler has returned, without a spawned task.
///
/// The usual body is one chunk that exists together with the response. A spawned task for it would cost host calls for
/// a wake-up stream and several allocations per request. Such a write waits only for handles of the host, so its waker
/// can drive it, and the task stays alive until the last handle that it waits for has completed.
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
