//! Activity of a connection, by which its watchdog closes idle and slow connections.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::half_close::HalfClose;

/// State shared by a connection's transport, its requests and its watchdog.
///
/// hyper's own header timeout costs a timer per request and also closes idle connections; this costs an atomic store.
#[derive(Debug)]
pub(crate) struct Activity {
    origin: Instant,
    in_flight: AtomicUsize,
    /// When the first byte of the current head was received, in milliseconds since `origin`, plus 1; 0 if none.
    head_since: AtomicU64,
    /// When the last request ended, in the same unit.
    idle_since: AtomicU64,
    http2: AtomicBool,
}

/// Status of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectionStatus {
    /// The connection is in use, or within its timeouts.
    Keep,
    /// The connection was idle for the idle timeout: shut it down gracefully.
    Idle,
    /// The client has not sent a complete head in time.
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

    /// Records that a request was read.
    pub(crate) fn request(self: &Arc<Self>, version: http::Version) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        self.http2.store(version == http::Version::HTTP_2, Relaxed);
        InFlight(self.clone())
    }

    pub(crate) fn is_http2(&self) -> bool {
        self.http2.load(Relaxed)
    }

    /// Returns whether the response to an HTTP/1 request is due.
    fn awaits_response(&self) -> bool {
        self.in_flight.load(Relaxed) > 0 && !self.is_http2()
    }

    /// Returns the status of the connection.
    pub(crate) fn status(&self, header_timeout: Duration, idle_timeout: Duration) -> ConnectionStatus {
        if self.in_flight.load(Relaxed) > 0 {
            return ConnectionStatus::Keep;
        }
        let now = self.now();
        let head_since = self.head_since.load(Relaxed);
        if head_since > 0 && now.saturating_sub(head_since) >= millis(header_timeout) && !self.is_http2() {
            return ConnectionStatus::TooSlow;
        }
        if head_since == 0 && self.idle_since.load(Relaxed) == 0 && now >= millis(header_timeout) {
            // The client has not begun its first request.
            return ConnectionStatus::TooSlow;
        }
        let idle = now.saturating_sub(self.idle_since.load(Relaxed));
        if idle >= millis(idle_timeout) { ConnectionStatus::Idle } else { ConnectionStatus::Keep }
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

/// A running request. It ends when this is dropped with its response body.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.idle_since.store(self.0.now().max(1), Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A transport that records received bytes in its connection's [`Activity`], and may withhold the end of the client's data.
pub(crate) struct ActivityTransport<S> {
    transport: S,
    activity: Arc<Activity>,
    half_close: Option<HalfClose>,
}

impl<S> ActivityTransport<S> {
    pub(crate) fn new(transport: S, activity: Arc<Activity>, half_close: Option<HalfClose>) -> Self {
        Self { transport, activity, half_close }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ActivityTransport<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.transport).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            this.activity.received();
        } else if let Some(half_close) = &mut this.half_close
            && this.activity.awaits_response()
        {
            ready!(half_close.poll_end(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ActivityTransport<S> {
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
        assert_eq!(activity.status(Duration::ZERO, Duration::ZERO), ConnectionStatus::Keep);
        drop(request);
        assert_eq!(activity.status(NEVER, Duration::ZERO), ConnectionStatus::Idle);
        assert_eq!(activity.status(NEVER, NEVER), ConnectionStatus::Keep);
    }

    #[test]
    fn a_head_that_does_not_end_is_too_slow() {
        let activity = Activity::new();
        activity.received();
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(activity.status(Duration::from_millis(1), NEVER), ConnectionStatus::TooSlow);
        assert_eq!(activity.status(NEVER, NEVER), ConnectionStatus::Keep);
    }

    #[test]
    fn a_connection_that_sends_nothing_is_too_slow() {
        assert_eq!(Activity::new().status(Duration::ZERO, NEVER), ConnectionStatus::TooSlow);
    }
}
