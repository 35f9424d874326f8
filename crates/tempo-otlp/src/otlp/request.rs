//! Assembles a batch into the body of an `Export…ServiceRequest` by adding tags and lengths to encoded messages.
//!
//! The field numbers are the same for all signals: a request has `ResourceSpans` (1), which have a `Resource` (1) and
//! `ScopeSpans` (2), which have an `InstrumentationScope` (1), spans (2) and a schema URL (3); likewise for metrics and
//! logs.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::{Body, Frame, SizeHint};

use crate::otlp::buffer::{Batch, ScopeKey};
use crate::otlp::wire;

/// Returns the parts of a request's body, with the host's `resource`.
pub(crate) fn assemble(resource: &[u8], batch: &Batch) -> Vec<Bytes> {
    let mut parts = Vec::new();
    for (key, chunks) in batch.groups() {
        parts.push(head(resource, key, chunks).into());
        parts.extend(chunks.iter().cloned());
    }
    parts
}

/// Returns the bytes before the messages of one scope. The schema URL may precede them, as fields have no order.
fn head(resource: &[u8], key: ScopeKey<'_>, chunks: &[Bytes]) -> Vec<u8> {
    let mut scope = Vec::new();
    wire::bytes(&mut scope, 1, key.scope);
    if !key.schema_url.is_empty() {
        wire::bytes(&mut scope, 3, key.schema_url.as_bytes());
    }
    let messages: usize = chunks.iter().map(Bytes::len).sum();
    let scope_length = scope.len() + messages;
    // Attributes are appended to attributes: repeated occurrences of a message field are merged.
    let resource_length = resource.len() + key.resource.len();
    let mut out = Vec::with_capacity(resource_length + scope.len() + 64);
    wire::head(&mut out, 1, wire::field_len(resource_length) + wire::field_len(scope_length));
    wire::head(&mut out, 1, resource_length);
    out.extend_from_slice(resource);
    out.extend_from_slice(key.resource);
    wire::head(&mut out, 2, scope_length);
    out.extend_from_slice(&scope);
    out
}

/// Compresses the parts.
pub(crate) fn gzip(parts: &[Bytes]) -> std::io::Result<Vec<Bytes>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        encoder.write_all(part)?;
    }
    Ok(vec![encoder.finish()?.into()])
}

/// A request body of known length. Clones share its parts.
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
