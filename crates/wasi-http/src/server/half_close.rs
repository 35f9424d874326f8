//! Clients that close their sending side after a whole request, as `nc -N` and some health checks do: the guest continues
//! for a while, because the client may still read the response.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tempo_core::Admission;
use tokio::time::Sleep;

/// Interval at which a half-closed connection is checked: the client may have reset it, or other requests need the permit.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Withholds the end of a client's data from hyper, which would end the guest at once.
///
/// A client that is gone looks the same until it receives data. So the guest continues for a limited time, and only while
/// at least half of the process's permits are free. hyper also gets the end within a request this late.
pub(crate) struct HalfClose {
    admission: Admission,
    grace: Duration,
    withheld: Option<Withheld>,
}

struct Withheld {
    since: Instant,
    check: Pin<Box<Sleep>>,
}

impl HalfClose {
    /// Withholds the end for at most `grace`.
    pub(crate) fn new(admission: Admission, grace: Duration) -> Self {
        Self { admission, grace, withheld: None }
    }

    /// Called when the client's data has ended while a response is due. Resolves when the end is to be reported. Until then
    /// the task is woken at intervals to read again, which finds out whether the client has reset the connection.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let grace = self.grace;
        let withheld = self.withheld.get_or_insert_with(|| Withheld {
            since: Instant::now(),
            check: Box::pin(tokio::time::sleep(CHECK_INTERVAL.min(grace))),
        });
        let left = grace.saturating_sub(withheld.since.elapsed());
        if left.is_zero() || self.admission.is_busy() {
            return Poll::Ready(());
        }
        while withheld.check.as_mut().poll(cx).is_ready() {
            withheld.check.as_mut().reset(tokio::time::Instant::now() + CHECK_INTERVAL.min(left));
        }
        Poll::Pending
    }
}
