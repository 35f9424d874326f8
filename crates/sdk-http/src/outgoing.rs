//! From our messages to the host's: the answer of a handler, and the body that a component sends.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http::{StatusCode, header};
use wasip3::http::types::{self, ErrorCode, Trailers};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{FutureWriter, StreamWriter};

use crate::body::{Body, Kind};
use crate::detach::detach;
use crate::incoming::{Contents, End};
use crate::{Response, fields};

/// Hands the handler's response to the host. A 204 or 304 has no body, and a 204 no length (RFC 9110, 8.6).
pub(crate) async fn response(response: Response) -> Result<types::Response, ErrorCode> {
    let (mut parts, mut body) = response.into_parts();
    if matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        body = Body::empty();
    }
    if parts.status == StatusCode::NO_CONTENT {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    let body = settle(body).await;
    let headers = fields::with_length(&parts.headers, &body).map_err(|error| error.to_code())?;
    let (contents, end) = send(body);
    let (response, _sent) = types::Response::new(headers, contents, end);
    if parts.status != StatusCode::OK {
        // The host refuses a status outside 100-999, which `StatusCode` cannot hold.
        let _ = response.set_status_code(parts.status.as_u16());
    }
    Ok(response)
}

/// The body in its simplest form that can be had without waiting.
pub(crate) async fn settle(body: Body) -> Body {
    let Kind::Stream(pieces) = body.kind else { return body };
    let mut pieces = Some(pieces);
    poll_fn(|cx| Poll::Ready(pieces.take().map(|pieces| pieces.settle(cx)))).await.unwrap_or_default()
}

/// Starts sending `body`; returns the ends that the host reads.
pub(crate) fn send(body: Body) -> (Option<Contents>, End) {
    match body.kind {
        Kind::Empty => {
            // The writer is dropped, which writes the default: no trailers.
            let (_, end) = wit_future::new(|| Ok(None));
            (None, end)
        }
        Kind::Full(bytes) => {
            let (writer, contents) = wit_stream::new();
            let (finish, end) = wit_future::new(|| Ok(None));
            detach(write(bytes, writer, finish));
            (Some(contents), end)
        }
        Kind::Stream(pieces) => {
            let (contents, end) = pieces.send();
            (Some(contents), end)
        }
    }
}

/// Writes a body that is one piece of bytes. An error means that the reader is gone, which is its right.
async fn write(bytes: Bytes, mut writer: StreamWriter<u8>, finish: FutureWriter<Result<Option<Trailers>, ErrorCode>>) {
    writer.write_all(bytes.into()).await;
    drop(writer);
    let _ = finish.write(Ok(None)).await;
}
