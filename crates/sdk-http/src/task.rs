//! Tasks and timers: work concurrent with the handler or after its response.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

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
    std::future::poll_fn(|cx| {
        if let Poll::Ready(result) = work.as_mut().poll(cx) {
            return Poll::Ready(result);
        }
        clock.as_mut().poll(cx).map(|()| Err(Error::new(ErrorKind::Timeout, format!("no response within {limit:?}"))))
    })
    .await
}
