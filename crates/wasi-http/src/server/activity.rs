//! What a connection is doing, so that one that does nothing, or too slowly, can be closed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Shared by a connection's transport, its requests and its watchdog.
///
/// hyper has a header timeout of its own, which costs a timer for each request and also ends idle connections; this
/// costs a store for each.
#[derive(Debug)]
pub(crate) struct Activity {
    origin: Instant,
    in_flight: AtomicUsize,
    /// When the first byte of the head that is being read came, in milliseconds since `origin`, plus 1; 0 if none.
    head_since: AtomicU64,
    /// When the last request ended.
    idle_since: AtomicU64,
    http2: AtomicBool,
}

/// What the watchdog should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is well.
    Keep,
    /// Nothing has come for long: close politely.
    Idle,
    /// A head has been coming in for too long.
    TooSlow,
}

impl Activity {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            origin: Instant::now(),
            in_flight: AtomicUsize::new(0),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            http2: AtomicBool::new(false),
        })
    }

    /// A request has been read.
    pub(crate) fn request(self: &Arc<Self>, version: http::Version) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        self.http2.store(version == http::Version::HTTP_2, Relaxed);
        InFlight(self.clone())
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Judges the connection.
    pub(crate) fn verdict(&self, header_timeout: Duration, idle_timeout: Duration) -> Verdict {
        if self.in_flight.load(Relaxed) > 0 {
            return Verdict::Keep;
        }
        let now = self.now();
        let head_since = self.head_since.load(Relaxed);
        if head_since > 0 && now.saturating_sub(head_since) >= millis(header_timeout) && !self.is_http2() {
            return Verdict::TooSlow;
        }
        if head_since == 0 && self.idle_since.load(Relaxed) == 0 && now >= millis(header_timeout) {
            // Not even the first request has begun.
            return Verdict::TooSlow;
        }
        let idle = now.saturating_sub(self.idle_since.load(Relaxed));
        if idle >= millis(idle_timeout) { Verdict::Idle } else { Verdict::Keep }
    }

    fn received(&self) {
        if self.in_flight.load(Relaxed) == 0 && self.head_since.load(Relaxed) == 0 {
            self.head_since.store(self.now().max(1), Relaxed);
        }
    }

    fn now(&self) -> u64 {
        millis(self.origin.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A request that is running; it ends when this is dropped with its response's body.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now().max(1), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A transport that notes when bytes come in.
pub(crate) struct Watched<S> {
    transport: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(crate) fn new(transport: S, activity: Arc<Activity>) -> Self {
        Self { transport, activity }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let poll = Pin::new(&mut self.transport).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.activity.received();
        }
        poll
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::MAX;

    #[test]
    fn a_running_request_is_never_idle() {
        let activity = Activity::new();
        let request = activity.request(http::Version::HTTP_11);
        assert_eq!(activity.verdict(Duration::ZERO, Duration::ZERO), Verdict::Keep);
        drop(request);
        assert_eq!(activity.verdict(NEVER, Duration::ZERO), Verdict::Idle);
        assert_eq!(activity.verdict(NEVER, NEVER), Verdict::Keep);
    }

    #[test]
    fn a_head_that_does_not_end_is_too_slow() {
        let activity = Activity::new();
        activity.received();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(activity.verdict(Duration::from_millis(1), NEVER), Verdict::TooSlow);
        assert_eq!(activity.verdict(NEVER, NEVER), Verdict::Keep);
    }

    #[test]
    fn a_connection_that_sends_nothing_is_too_slow() {
        assert_eq!(Activity::new().verdict(Duration::ZERO, NEVER), Verdict::TooSlow);
    }
}
