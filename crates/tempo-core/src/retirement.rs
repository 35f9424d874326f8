//! `Retirement`: the end of a component that another version replaces while its last calls run.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Whether a component is replaced, and whether its last calls must end.
#[derive(Debug, Default)]
pub(crate) struct Retirement {
    retired: AtomicBool,
    ended: AtomicBool,
    end: Arc<Notify>,
}

impl Retirement {
    /// Returns whether the component is replaced: none of its instances is kept for another call.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(SeqCst)
    }

    pub(crate) fn retire(&self) {
        self.retired.store(true, SeqCst);
    }

    fn end(&self) {
        self.ended.store(true, SeqCst);
        self.end.notify_waiters();
    }

    /// Returns a future that resolves when the last calls must end.
    pub(crate) fn end_of_calls(self: &Arc<Self>) -> EndOfCalls {
        // Created first: it is notified from now on.
        let notified = self.end.clone().notified_owned();
        EndOfCalls { retirement: self.clone(), notified: Box::pin(notified) }
    }
}

/// Resolves when the last calls of a replaced component must end.
pub(crate) struct EndOfCalls {
    retirement: Arc<Retirement>,
    notified: Pin<Box<OwnedNotified>>,
}

impl Future for EndOfCalls {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.notified.as_mut().poll(cx) {
            Poll::Pending if !self.retirement.ended.load(SeqCst) => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }
}

/// A component that was replaced. Its last calls run until [`end_calls_after`](Self::end_calls_after).
#[derive(Clone, Debug)]
pub struct Retired(pub(crate) Arc<Retirement>);

impl Retired {
    /// Ends the calls that still run after `timeout`. Each fails with [`Interrupted::Replaced`](crate::Interrupted::Replaced).
    pub async fn end_calls_after(self, timeout: Duration) {
        tokio::time::sleep(timeout).await;
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn the_last_calls_end_after_the_timeout() {
        let retirement = Arc::new(Retirement::default());
        let mut waiting = retirement.end_of_calls();
        assert!((&mut waiting).now_or_never().is_none());
        let unpolled = retirement.end_of_calls();
        retirement.retire();
        assert!((&mut waiting).now_or_never().is_none() && retirement.is_retired());
        Retired(retirement.clone()).end_calls_after(Duration::ZERO).await;
        waiting.await;
        unpolled.await;
        retirement.end_of_calls().await;
    }
}
