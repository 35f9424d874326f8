//! From our messages to the host's: the body that a component sends, and the answer of a handler.

use crate::body::{Body, Boxed, Kind};
use crate::detach::detach;
use crate::incoming::{Contents, End};
use crate::{Error, Response, fields};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Body as _, Frame};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use wasip3::http::types::{self, ErrorCode, Trailers};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{FutureWriter, StreamWriter};

type Finish = FutureWriter<Result<Option<Trailers>, ErrorCode>>;

/// Hands the handler's response to the host.
pub(crate) async fn response(response: Response) -> Result<types::Response, ErrorCode> {
    let (mut parts, body) = response.into_parts();
    let body = settle(body).await;
    declare_length(&mut parts.headers, &body);
    let headers = fields::to_host(&parts.headers).map_err(|error| error.to_code())?;
    let (contents, end) = send(body);
    let (response, _sent) = types::Response::new(headers, contents, end);
    if parts.status != StatusCode::OK {
        // The host refuses a status outside 100-999, which `StatusCode` cannot hold.
        let _ = response.set_status_code(parts.status.as_u16());
    }
    Ok(response)
}

/// Asks a body of known length once for its first frame. Most have all they ever have at hand (a JSON value that axum boxed,
/// for example), and then go the short way.
pub(crate) async fn settle(body: Body) -> Body {
    let Kind::Stream(mut stream) = body.kind else { return body };
    let Some(length) = stream.size_hint().exact() else { return Kind::Stream(stream).into() };
    match poll_fn(|cx| Poll::Ready(stream.as_mut().poll_frame(cx))).await {
        Poll::Pending => Kind::Stream(stream).into(),
        Poll::Ready(None) => Body::empty(),
        Poll::Ready(Some(Ok(frame))) if frame.data_ref().is_some_and(|data| data.len() as u64 == length) => {
            Body::from(frame.into_data().unwrap_or_default())
        }
        Poll::Ready(first) => Kind::Stream(Box::pin(Begun { first, rest: stream })).into(),
    }
}

/// A body whose first frame has been taken out already.
struct Begun {
    first: Option<Result<Frame<Bytes>, Error>>,
    rest: Boxed,
}

impl http_body::Body for Begun {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.rest.as_mut().poll_frame(cx),
        }
    }
}

/// Sets `content-length` where the length is known, so that the host need not chunk.
pub(crate) fn declare_length(headers: &mut HeaderMap, body: &Body) {
    if let Kind::Full(bytes) = &body.kind
        && !headers.contains_key(header::CONTENT_LENGTH)
    {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
}

/// Starts sending `body`; returns the ends that the host reads.
pub(crate) fn send(body: Body) -> (Option<Contents>, End) {
    let body = match body.kind {
        Kind::Incoming(incoming) => match incoming.into_host() {
            Ok((contents, end)) => return (Some(contents), end),
            Err(incoming) => Body::from(Kind::Incoming(incoming)),
        },
        Kind::Empty => {
            // The writer is dropped, which writes the default: no trailers.
            let (_, end) = wit_future::new(|| Ok(None));
            return (None, end);
        }
        kind => Body::from(kind),
    };
    let (writer, contents) = wit_stream::new();
    let (finish, end) = wit_future::new(broken_off);
    match body.kind {
        Kind::Full(bytes) => detach(write(bytes, writer, finish)),
        kind => drop(wit_bindgen::spawn_local(pump(Body::from(kind), writer, finish))),
    }
    (Some(contents), end)
}

/// What the host is told when the task that writes a body is dropped.
fn broken_off() -> Result<Option<Trailers>, ErrorCode> {
    Err(ErrorCode::InternalError(Some("the body was not finished".to_owned())))
}

/// Writes a body that is one piece of bytes. An error means that the reader is gone, which is its right.
async fn write(bytes: Bytes, mut writer: StreamWriter<u8>, finish: Finish) {
    writer.write_all(bytes.into()).await;
    drop(writer);
    let _ = finish.write(Ok(None)).await;
}

/// Writes a body frame by frame, at the pace of the reader.
async fn pump(mut body: Body, mut writer: StreamWriter<u8>, finish: Finish) {
    let mut trailers = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                drop(writer);
                let _ = finish.write(Err(error.to_code())).await;
                return;
            }
        };
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                if !writer.write_all(data.into()).await.is_empty() {
                    break; // the reader is gone
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    drop(writer);
    let end = trailers.as_ref().map(fields::to_host).transpose().map_err(|error: Error| error.to_code());
    let _ = finish.write(end).await;
}
