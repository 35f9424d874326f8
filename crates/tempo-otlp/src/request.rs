//! From a batch to the body of an `Export…ServiceRequest`: tags and lengths around what was encoded already.
//!
//! The messages of the three signals have the same field numbers: a request holds `ResourceSpans` (1), these a `Resource`
//! (1) and `ScopeSpans` (2), these an `InstrumentationScope` (1), the spans (2) and the URL of a schema (3); and so for
//! metrics and logs.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

use crate::buffer::{Batch, Source};
use crate::wire;

/// The parts of a request's body, under the host's `resource`.
pub(crate) fn assemble(resource: &[u8], batch: &Batch) -> Vec<Bytes> {
    let mut parts = Vec::new();
    for (source, chunks) in batch.groups() {
        parts.push(head(resource, source, chunks).into());
        parts.extend(chunks.iter().cloned());
    }
    parts
}

/// What stands before the messages of one source. The scope's schema may stand there too, as fields have no order.
fn head(resource: &[u8], source: Source<'_>, chunks: &[Bytes]) -> Vec<u8> {
    let mut scope = Vec::new();
    wire::bytes(&mut scope, 1, source.scope);
    if !source.schema_url.is_empty() {
        wire::bytes(&mut scope, 3, source.schema_url.as_bytes());
    }
    let messages: usize = chunks.iter().map(Bytes::len).sum();
    let scope_length = scope.len() + messages;
    // Attributes after attributes: a message that is continued by another of its kind is one message.
    let resource_length = resource.len() + source.resource.len();
    let mut out = Vec::with_capacity(resource_length + scope.len() + 64);
    wire::head(&mut out, 1, wire::field_len(resource_length) + wire::field_len(scope_length));
    wire::head(&mut out, 1, resource_length);
    out.extend_from_slice(resource);
    out.extend_from_slice(source.resource);
    wire::head(&mut out, 2, scope_length);
    out.extend_from_slice(&scope);
    out
}

/// The same, compressed.
pub(crate) fn gzip(parts: &[Bytes]) -> std::io::Result<Vec<Bytes>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        encoder.write_all(part)?;
    }
    Ok(vec![encoder.finish()?.into()])
}

/// The body of a request: parts whose length is known. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    parts: VecDeque<Bytes>,
    left: u64,
}

impl Payload {
    pub(crate) fn new(parts: impl IntoIterator<Item = Bytes>) -> Self {
        let parts: VecDeque<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let left = parts.iter().map(|part| part.len() as u64).sum();
        Self { parts, left }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let part = self.parts.pop_front();
        self.left -= part.as_ref().map_or(0, |part| part.len() as u64);
        Poll::Ready(part.map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.parts.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
