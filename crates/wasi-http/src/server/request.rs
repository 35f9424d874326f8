//! Handles one HTTP request: admission, the call of the guest, the response.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, Uri, Version, header};
use http_body::{Body, Frame};
use tempo_core::CallError;
use tempo_telemetry::CallContext;
use wasmtime_wasi_http::Error;

use super::bodiless;
use super::body::Content;
use super::body_fault::BrokenOff;
use super::exchange::Exchange;
use super::fair_queue::FairQueue;
use super::guest::{HandlerCall, end_pair};
use super::reply::{Refusal, refuse};
use super::upload;
use super::worker::Worker;
use crate::handlers::Handlers;

/// How often a pending body is polled again before the response is streamed: a guest needs one or two turns of its event
/// loop to write available data.
const MAX_EXTRA_POLLS: usize = 3;
/// The largest body that is sent together with its head if it is available at once, in bytes.
const MAX_BUFFERED_BODY: usize = 64 << 10;

/// Where a request comes from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The scheme over which it was received.
    pub(crate) scheme: Scheme,
    /// The number of calls that wait for its answer in a row: 0 for a client's request.
    pub(crate) depth: usize,
    /// The components that it is passed on to.
    pub(crate) next: Option<Handlers>,
    /// Where it waits for its turn: none if no other component gets requests, or if the component that sent it has had a turn.
    pub(crate) queue: Option<Arc<FairQueue>>,
}

impl Source {
    /// A client of the server, whose request is passed on to `next`.
    pub(crate) fn client(scheme: &Scheme, next: Option<Handlers>, queue: Option<Arc<FairQueue>>) -> Self {
        Self { scheme: scheme.clone(), depth: 0, next, queue }
    }
}

/// Answers `request`. `context` is the one of its call.
///
/// # Errors
///
/// Returns the refusal that the server has to send.
pub(crate) async fn handle<B>(
    worker: Arc<Worker>,
    source: Source,
    context: Option<Arc<CallContext>>,
    request: Request<B>,
) -> Result<Response<Content>, Refusal>
where
    B: Body<Data = Bytes, Error: Into<Error>> + Unpin + Send + 'static,
{
    let instances = &worker.instances;
    let deadline = instances.workload().deadline();
    let (mut head, body) = request.into_parts();
    if head.method == Method::CONNECT {
        return Err(Refusal::NotImplemented);
    }
    let uri = std::mem::take(&mut head.uri);
    head.uri = absolute(source.scheme.clone(), uri, &head).ok_or(Refusal::BadRequest)?;
    let (body, upload_failure) =
        upload::limited(body, worker.max_body, worker.config.headers).ok_or(Refusal::BodyTooLarge)?;
    let failed = |error: CallError| refuse(instances, context.as_ref(), &error);
    let permit = instances.workload().admission().enter_at(source.depth).await;
    let permit = permit.map_err(|overloaded| failed(overloaded.into()))?;
    if let Some(queue) = &source.queue {
        queue.enter(worker.flow_id()).await;
    }
    let (exchange_end, end) = end_pair();
    let (to_head, version) = (head.method == Method::HEAD, head.version);
    let Source { depth, next, queue, .. } = source;
    let call = HandlerCall { request: Request::from_parts(head, body), end, depth, next };
    let call = instances.begin(permit, deadline, context.clone(), call).map_err(failed)?;
    let mut exchange = Exchange::new(instances.clone(), call, context, exchange_end, to_head, upload_failure);
    let mut unmeasured = queue.as_deref();
    let mut head = poll_fn(|cx| match unmeasured.take() {
        Some(queue) => queue.measure(worker.flow_id(), || exchange.poll_answer(cx)),
        None => exchange.poll_answer(cx),
    })
    .await?;
    let ahead = read_ahead(&mut exchange).await;
    if exchange.is_bodiless() {
        let size = ahead.is_whole().then(|| size(&ahead.frames) as u64);
        exchange.finish();
        let omitted = bodiless::complete(&mut head, to_head, version, size);
        return Ok(head.map(|()| omitted.map_or_else(|| Content::full(Bytes::new()), Content::Omitted)));
    }
    if let Some(refusal) = exchange.failure() {
        return Err(refusal);
    }
    let content = if ahead.is_whole() && ahead.frames.iter().all(Frame::is_data) {
        Content::full(join(ahead.frames))
    } else {
        exchange.unread(ahead.frames);
        exchange.begin_stream(depth == 0).await?;
        let (content, stream) = Content::stream(exchange);
        worker.track(&stream);
        content
    };
    Ok(head.map(|()| content))
}

/// The frames of a body that were available at once.
struct ReadAhead {
    frames: Vec<Frame<Bytes>>,
    ended: Option<Result<(), BrokenOff>>,
}

impl ReadAhead {
    fn is_whole(&self) -> bool {
        matches!(self.ended, Some(Ok(())))
    }
}

/// Reads the frames of the body that are available at once, up to [`MAX_BUFFERED_BODY`].
async fn read_ahead(exchange: &mut Exchange) -> ReadAhead {
    let mut frames: Vec<Frame<Bytes>> = Vec::new();
    let mut extra_polls = 0;
    let ended = poll_fn(|cx| {
        loop {
            match exchange.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    frames.push(frame);
                    if size(&frames) > MAX_BUFFERED_BODY {
                        return Poll::Ready(None);
                    }
                }
                Poll::Ready(Some(Err(broken_off))) => return Poll::Ready(Some(Err(broken_off))),
                Poll::Ready(None) => return Poll::Ready(Some(Ok(()))),
                Poll::Pending if extra_polls < MAX_EXTRA_POLLS => extra_polls += 1,
                Poll::Pending => return Poll::Ready(None),
            }
        }
    })
    .await;
    ReadAhead { frames, ended }
}

fn size(frames: &[Frame<Bytes>]) -> usize {
    frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum()
}

/// Concatenates the data of `frames`. A single frame is not copied.
fn join(mut frames: Vec<Frame<Bytes>>) -> Bytes {
    if frames.len() <= 1 {
        return frames.pop().and_then(|frame| frame.into_data().ok()).unwrap_or_default();
    }
    let mut whole = BytesMut::with_capacity(size(&frames));
    for data in frames.iter().filter_map(Frame::data_ref) {
        whole.extend_from_slice(data);
    }
    whole.freeze()
}

/// Returns the request's `uri` with scheme and authority, which HTTP/1.1 clients put in the `Host` header. Returns `None`
/// if the authority is missing or ambiguous (RFC 9112, 3.2) or contains user information (RFC 9110, 4.2.4).
fn absolute(scheme: Scheme, uri: Uri, head: &http::request::Parts) -> Option<Uri> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(without_user(Authority::try_from(host.as_bytes()).ok()?)?),
        (None, None) => None,
        _ => return None,
    };
    let mut uri = uri.into_parts();
    uri.authority = match (uri.authority, host) {
        (Some(_), None) if head.version == Version::HTTP_11 => return None,
        (Some(authority), _) => Some(without_user(authority)?),
        (None, Some(host)) => Some(host),
        // HTTP/1.0 has no Host header.
        (None, None) if head.version < Version::HTTP_11 => Some(Authority::from_static("localhost")),
        (None, None) => return None,
    };
    uri.scheme = Some(scheme);
    uri.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(uri).ok()
}

fn without_user(authority: Authority) -> Option<Authority> {
    (!authority.as_str().contains('@')).then_some(authority)
}
