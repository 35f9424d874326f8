//! A guest's standard output and error as log lines under the component's name.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tempo_backend::{ByteBudget, Reservation};
use tempo_core::{Limits, LogBudget, LogTail, StoreContext};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes that a guest may write in one call.
const WRITE_PERMIT: usize = 64 << 10;

/// One of the two output streams of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputStreamKind {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// An output stream whose lines become log events. Each handle buffers its unfinished line.
#[derive(Clone)]
pub(crate) struct GuestOutput {
    component: Arc<str>,
    stream: OutputStreamKind,
    budget: Arc<LogBudget>,
    bytes: ByteBudget,
    tail: LogTail,
}

/// Creates the rate limit on the log lines of `component`, for all its instances.
pub(crate) fn log_budget(component: Arc<str>, limits: &Limits) -> Arc<LogBudget> {
    let name = component.clone();
    let report = move |dropped| {
        let component = &*component;
        tracing::warn!(target: "guest", component, dropped, "log lines were dropped: there were too many (--max-log-rate)");
    };
    Arc::new(LogBudget::new(limits, report).of_component(name))
}

impl GuestOutput {
    /// Creates the output `stream` of an instance of `component`, whose store is `store`. All instances share the rate limit
    /// `budget`.
    pub(crate) fn new(
        component: Arc<str>,
        stream: OutputStreamKind,
        budget: Arc<LogBudget>,
        store: &StoreContext,
    ) -> Self {
        Self { component, stream, budget, bytes: store.bytes.clone(), tail: store.log_tail.clone() }
    }

    fn line_writer(&self) -> LineWriter {
        LineWriter { output: self.clone(), line: Vec::new(), reserved: self.bytes.empty() }
    }

    fn emit(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        // Escaped, so that a guest can neither forge a line of the host nor control the terminal.
        let (text, clipped) = self.budget.line(text.trim_end_matches('\r'));
        if self.budget.admit() {
            self.stream.write(&self.component, &text, clipped);
        } else {
            let (component, stream, text) = (self.component.clone(), self.stream, text.into_owned());
            self.tail.keep(&self.budget, text.len(), move || stream.write(&component, &text, clipped));
        }
    }
}

impl OutputStreamKind {
    fn write(self, component: &str, text: &str, clipped: bool) {
        let stream = match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        };
        tracing::info!(target: "guest", component, stream, clipped = clipped.then_some(true), "{text}");
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.line_writer())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.line_writer())
    }
}

/// Splits the output into lines. When it is dropped, it writes the unfinished line.
struct LineWriter {
    output: GuestOutput,
    line: Vec<u8>,
    reserved: Reservation,
}

impl LineWriter {
    fn push(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            // Only one byte beyond the longest line is kept: the line is clipped there anyway.
            let free = self.output.budget.max_line().saturating_add(1).saturating_sub(self.line.len());
            let text = text.get(..free).unwrap_or(text);
            let length = self.line.len().saturating_add(text.len());
            // An unfinished line that does not fit into the store's budget ends here.
            let ends = ends || self.reserved.try_resize(length).is_err();
            self.line.reserve_exact(text.len());
            self.line.extend_from_slice(text);
            if ends {
                self.output.emit(&self.line);
                self.line = Vec::new();
                self.reserved.shrink(length);
            }
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.output.emit(&self.line);
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineWriter {
    async fn ready(&mut self) {}
}

impl OutputStream for LineWriter {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_PERMIT)
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
