//! The task that calls a component for another one.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response};
use tokio::sync::{mpsc, oneshot};
use wasmtime_wasi_http::WasiBody;

use super::body::{ChainedBody, Chunk};
use crate::handlers::Handlers;
use crate::server::{Content, RequestSource, Stream, Worker, begin_span, handle};

/// Frames of a body that wait for the caller.
const WAITING_FRAMES: usize = 1;

/// Calls the component of `worker` with `request`, at this depth of the chain and before these handlers, and sends its answer to `head`. Ends when the
/// receiver of the head, or the body, is dropped.
pub(super) async fn answer(
    worker: Arc<Worker>,
    mut request: Request<WasiBody>,
    (depth, next): (usize, Option<Handlers>),
    mut head: oneshot::Sender<Response<ChainedBody>>,
) {
    let scheme = request.uri().scheme().cloned().unwrap_or(Scheme::HTTP);
    let (context, mut span) = begin_span(&worker.metrics, &scheme, &mut request);
    let source = RequestSource { scheme, depth, next, queue: None };
    let answered = tokio::select! {
        biased;
        answered = Box::pin(handle(worker, source, context, request)) => answered,
        () = head.closed() => return,
    };
    let refusal = answered.as_ref().err().copied();
    let response = answered
        .unwrap_or_else(|refusal| refusal.response().map(|text| Content::full(Bytes::from_static(text.as_bytes()))));
    if let Some(span) = &mut span {
        span.answered(response.status(), refusal);
    }
    let (parts, content) = response.into_parts();
    // Fails if the caller is gone.
    let send = |body| head.send(Response::from_parts(parts, body)).is_ok();
    match content.into_stream() {
        Err(bytes) => drop(send(ChainedBody::full(bytes))),
        Ok(stream) => {
            let (sender, chunks) = mpsc::channel(WAITING_FRAMES);
            if send(ChainedBody::stream(chunks)) && !forward(&stream, &sender).await {
                span.iter_mut().for_each(|span| span.broke_off());
            }
        }
    }
}

/// Forwards the frames of `stream`, each only once there is room for it. Returns false if the component fails. Stops when
/// the caller drops the body.
async fn forward(stream: &Stream, chunks: &mpsc::Sender<Chunk>) -> bool {
    loop {
        let Ok(room) = chunks.reserve().await else { return true };
        let frame = tokio::select! {
            biased;
            frame = poll_fn(|cx| stream.poll_next(cx)) => frame,
            () = chunks.closed() => return true,
        };
        match frame {
            Some(Ok(frame)) => room.send(Chunk::Frame(frame)),
            Some(Err(_)) => {
                room.send(Chunk::BrokenOff);
                return false;
            }
            None => {
                room.send(Chunk::Complete);
                return true;
            }
        }
    }
}
