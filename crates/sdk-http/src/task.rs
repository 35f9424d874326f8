//! Tasks and time: what a handler does beside or after its answer.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use wasip3::clocks::monotonic_clock;

use crate::{Error, ErrorKind};

/// Runs `task` concurrently with the handler, also after the handler has answered.
///
/// Hosts limit the time that an instance may go on working after its response.
///
/// # Panics
/// Outside a handler: there is nothing that could drive the task.
pub fn spawn(task: impl Future<Output = ()> + 'static) {
    drop(wit_bindgen::spawn_local(tempo_sdk_trace::task(task)));
}

/// Waits for `duration`. Longer than 584 years is taken for 584 years.
pub async fn sleep(duration: Duration) {
    monotonic_clock::wait_for(nanoseconds(duration)).await;
}

/// A duration as `wasi:clocks` counts it.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What `work` gives, or a timeout error when it takes longer than `limit`.
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
