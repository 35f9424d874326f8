//! The socket of a connection, which counts what it writes and says whether it can.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What a connection writes, as its watchdog sees it.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    blocked: AtomicBool,
    written: AtomicU64,
    given_up: AtomicBool,
}

impl Wire {
    /// Whether the system would not take what was last to be written.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Bytes that the system has taken.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// What the system has taken and not sent is worth nothing any more: it goes with the connection.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Relaxed);
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    fn note(&self, poll: &Poll<Result<usize>>) {
        match poll {
            Poll::Ready(Ok(count)) => {
                self.written.fetch_add(*count as u64, Relaxed);
                self.set_blocked(false);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.set_blocked(true),
        }
    }
}

/// A connection's socket.
#[derive(Debug)]
pub(crate) struct Transport {
    stream: TcpStream,
    wire: Arc<Wire>,
}

impl Transport {
    pub(crate) fn new(stream: TcpStream, wire: Arc<Wire>) -> Self {
        Self { stream, wire }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if self.wire.given_up.load(Relaxed) {
            // The system would go on offering the client up to megabytes that it does not take.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wire.note(&poll);
        poll
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.wire.note(&poll);
        poll
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
