//! A guest's standard output and error as log lines under the component's name.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tempo_backend::{ByteBudget, Reservation};
use tempo_core::LogBudget;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// What a guest may write in one call.
const CHUNK: usize = 64 << 10;

/// Which of the two streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A stream whose lines become log events. Each handle has the line that it has not ended.
#[derive(Clone)]
pub struct GuestOutput {
    component: Arc<str>,
    source: Source,
    budget: Arc<LogBudget>,
    bytes: ByteBudget,
}

impl GuestOutput {
    /// The output `source` of an instance of `component`: all of them together write as much as `budget` allows. Lines that
    /// have not ended are reserved in `bytes`.
    pub fn new(component: Arc<str>, source: Source, budget: Arc<LogBudget>, bytes: &ByteBudget) -> Self {
        Self { component, source, budget, bytes: bytes.clone() }
    }

    fn line_writer(&self) -> LineWriter {
        LineWriter { output: self.clone(), line: Vec::new(), reserved: self.bytes.empty() }
    }

    fn emit(&self, line: &[u8]) {
        let Some(admitted) = self.budget.admit() else { return };
        let component = &*self.component;
        if admitted.dropped > 0 {
            tracing::warn!(target: "guest", component, dropped = admitted.dropped, "log lines were dropped");
        }
        let text = String::from_utf8_lossy(line);
        // Escaped, so that a guest can neither forge a line of its host nor drive the reader's terminal.
        let text = self.budget.clip(text.trim_end_matches('\r')).escape_debug_keeping_quotes();
        match self.source {
            Source::Stdout => tracing::info!(target: "guest", component, stream = "stdout", "{text}"),
            Source::Stderr => tracing::info!(target: "guest", component, stream = "stderr", "{text}"),
        }
    }
}

/// Escapes control characters only: quotes and non-ASCII letters stay readable.
trait EscapeControls {
    fn escape_debug_keeping_quotes(&self) -> String;
}

impl EscapeControls for str {
    fn escape_debug_keeping_quotes(&self) -> String {
        let mut escaped = String::with_capacity(self.len());
        for character in self.chars() {
            if character.is_control() && character != '\t' {
                escaped.extend(character.escape_default());
            } else {
                escaped.push(character);
            }
        }
        escaped
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

/// Splits what is written into lines. What is left when it is dropped is a line too.
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
            // Beyond the longest line nothing is kept: the line is clipped there anyway.
            let room = self.output.budget.max_line().saturating_add(1).saturating_sub(self.line.len());
            let text = text.get(..room).unwrap_or(text);
            let length = self.line.len().saturating_add(text.len());
            // Where there is no room for a line that goes on, it ends here.
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
        Ok(CHUNK)
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
