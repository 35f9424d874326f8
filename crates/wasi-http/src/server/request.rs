//! One HTTP request: admitted, handed to a guest, answered.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Response, Uri, Version, header};
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use tempo_core::Provide;
use tempo_core::telemetry::CallContext;
use tokio::sync::oneshot;

use super::body::Body;
use super::exchange::Exchange;
use super::guest;
use super::reply::Refusal;
use super::upload;
use super::worker::Worker;
use crate::WasiHttp;

/// How often a body that is not there yet is asked for again before the response is streamed: a guest needs a turn or
/// two of its event loop to write what it has at hand.
const TURNS: usize = 3;
/// A body up to this size that is there at once goes out together with its head.
const SMALL: usize = 64 << 10;

/// Answers `request`, which came in over `scheme`.
pub(crate) async fn handle<T: Provide<WasiHttp>>(
    worker: Arc<Worker<T>>,
    scheme: Scheme,
    context: Option<Arc<CallContext>>,
    request: Request<Incoming>,
) -> Response<Body<T>> {
    match exchange(worker, scheme, context, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.response(),
    }
}

async fn exchange<T: Provide<WasiHttp>>(
    worker: Arc<Worker<T>>,
    scheme: Scheme,
    context: Option<Arc<CallContext>>,
    request: Request<Incoming>,
) -> Result<Response<Body<T>>, Refusal> {
    let deadline = Instant::now() + worker.workload.limits().request;
    let (mut head, body) = request.into_parts();
    head.uri = absolute(scheme, &head).ok_or(Refusal::BadRequest)?;
    let (body, too_large) = upload::limited(body, worker.config.body).ok_or(Refusal::BodyTooLarge)?;
    let permit = worker.workload.admission().enter().await.map_err(|_| Refusal::Overloaded)?;
    let place = worker.idle.place(permit).map_err(|error| {
        tracing::error!(error = format!("{error:#}"), "a store cannot be made");
        Refusal::Failed
    })?;
    let meter = place.meter();
    let (answer_sender, answer) = oneshot::channel();
    let (consumed_sender, consumed) = oneshot::channel();
    let is_head = head.method == Method::HEAD;
    let head_only = is_head && head.version == Version::HTTP_2;
    let request = Request::from_parts(head, body);
    let work = guest::call(worker.clone(), place, request, answer_sender, consumed);
    let call = worker.workload.call(meter, deadline, context, work);
    let mut exchange = Exchange::new(worker.clone(), call, answer, consumed_sender, too_large);
    let head = poll_fn(|cx| exchange.poll_answer(cx)).await?;
    if is_head {
        exchange.promise_nothing();
    }
    let body = gather(&worker, exchange).await?;
    let response = head.map(|()| body);
    Ok(if head_only { without_body(response) } else { response })
}

/// hyper leaves the body of an answer to HEAD out itself, but over HTTP/1 only.
fn without_body<T: Provide<WasiHttp>>(response: Response<Body<T>>) -> Response<Body<T>> {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(head, Body::full(Bytes::new()))
}

/// Takes the whole body if it is small and there at once; else leaves it to be streamed.
async fn gather<T: Provide<WasiHttp>>(worker: &Worker<T>, mut exchange: Exchange<T>) -> Result<Body<T>, Refusal> {
    let mut frames: Vec<Frame<Bytes>> = Vec::new();
    let mut turns = 0;
    let mut broken_off = false;
    let whole = poll_fn(|cx| {
        loop {
            match exchange.poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    frames.push(frame);
                    if size(&frames) > SMALL {
                        return Poll::Ready(false);
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    broken_off = true;
                    return Poll::Ready(false);
                }
                Poll::Ready(None) => return Poll::Ready(true),
                Poll::Pending if turns < TURNS => turns += 1,
                Poll::Pending => return Poll::Ready(false),
            }
        }
    })
    .await;
    if let Some(refusal) = exchange.failure() {
        return Err(refusal);
    }
    if broken_off {
        // Nothing has been sent yet, so the client can still be told.
        return Err(Refusal::Failed);
    }
    if whole && frames.iter().all(Frame::is_data) {
        return Ok(Body::full(join(frames)));
    }
    exchange.give_back(frames);
    let (body, stream) = Body::stream(exchange);
    worker.watch(&stream);
    Ok(body)
}

fn size(frames: &[Frame<Bytes>]) -> usize {
    frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum()
}

/// One piece of several; a single piece is not copied.
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

/// The request's URI with scheme and authority, which HTTP/1.1 clients put in the Host header.
fn absolute(scheme: Scheme, head: &http::request::Parts) -> Option<Uri> {
    let mut uri = head.uri.clone().into_parts();
    if uri.authority.is_none() {
        let mut hosts = head.headers.get_all(header::HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => Authority::try_from(host.as_bytes()).ok()?,
            // HTTP/1.0 has no Host header.
            (None, None) if head.version < Version::HTTP_11 => Authority::from_static("localhost"),
            _ => return None,
        };
        uri.authority = Some(host);
    }
    uri.scheme = Some(scheme);
    uri.path_and_query.get_or_insert_with(|| PathAndQuery::from_static("/"));
    Uri::from_parts(uri).ok()
}
