//! The socket of a connection, with counters for its watchdog.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Write state of a connection's socket.
#[derive(Debug, Default)]
pub(crate) struct SocketState {
    blocked: AtomicBool,
    written: AtomicU64,
    reset_on_drop: AtomicBool,
}

impl SocketState {
    /// Returns whether the last write was pending.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Returns the number of bytes that the system has accepted.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Makes the socket reset the connection when it is dropped, which discards unsent data.
    pub(crate) fn reset_on_drop(&self) {
        self.reset_on_drop.store(true, Relaxed);
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
    socket: Arc<SocketState>,
}

impl Transport {
    pub(crate) fn new(stream: TcpStream, socket: Arc<SocketState>) -> Self {
        Self { stream, socket }
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        if self.socket.reset_on_drop.load(Relaxed) {
            // Otherwise the system would keep up to megabytes of unsent data for a client that does not read.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() == before {
            // Once the client has closed its sending side, reads report the end even after a reset.
            self.stream.take_error()?.map_or(Ok(()), Err)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.socket.note(&poll);
        poll
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.socket.note(&poll);
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
