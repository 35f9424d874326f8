//! Converts responses and bodies to the host's types.

use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use http::{StatusCode, header};
use wasip3::http::types::{self, ErrorCode, Trailers};
use wasip3::{wit_future, wit_stream};
use wit_bindgen::{FutureWriter, StreamWriter};

use crate::body::{Body, Kind};
use crate::incoming::{BodyStream, TrailersFuture};
use crate::task::detach;
use crate::{Response, fields};

/// Converts the handler's response. A 204 or 304 has no body, and a 204 no length (RFC 9110, 8.6).
pub(crate) async fn response(response: Response) -> Result<types::Response, ErrorCode> {
    let (mut parts, mut body) = response.into_parts();
    if matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        body = Body::empty();
    }
    if parts.status == StatusCode::NO_CONTENT {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    let body = simplify(body).await;
    let headers = fields::with_length(&parts.headers, &body).map_err(|error| error.to_code())?;
    let Outgoing { contents, end, write } = send(body);
    let (response, _sent) = types::Response::new(headers, contents, end);
    write.start();
    if parts.status != StatusCode::OK {
        // The host rejects only a status outside 100-999, which `StatusCode` cannot hold.
        let _ = response.set_status_code(parts.status.as_u16());
    }
    Ok(response)
}

/// Simplifies the body as far as possible without waiting.
pub(crate) async fn simplify(body: Body) -> Body {
    let Kind::Stream(pieces) = body.kind else { return body };
    let mut pieces = Some(pieces);
    poll_fn(|cx| Poll::Ready(pieces.take().map(|body| body.simplify(cx)))).await.unwrap_or_default()
}

/// Writes the end of a body.
type EndWriter = FutureWriter<Result<Option<Trailers>, ErrorCode>>;

/// What the host reads of a body, and the part that writes it.
pub(crate) struct Outgoing {
    pub(crate) contents: Option<BodyStream>,
    pub(crate) end: TrailersFuture,
    pub(crate) write: Write,
}

/// Writes a body. A write to a host that reads already completes at once; another one takes an event.
pub(crate) enum Write {
    /// The end of an empty body.
    End(EndWriter),
    /// One chunk, and the end.
    Full(Bytes, StreamWriter<u8>, EndWriter),
    /// A task writes it already.
    Started,
}

impl Write {
    /// Starts to write.
    pub(crate) fn start(self) {
        match self {
            // Writes the default: no trailers.
            Self::End(finish) => drop(finish),
            Self::Full(bytes, writer, finish) => detach(write(bytes, writer, finish)),
            Self::Started => {}
        }
    }
}

/// Prepares to send `body`.
pub(crate) fn send(body: Body) -> Outgoing {
    match body.kind {
        Kind::Empty => {
            let (finish, end) = wit_future::new(|| Ok(None));
            Outgoing { contents: None, end, write: Write::End(finish) }
        }
        Kind::Full(bytes) => {
            let (writer, contents) = wit_stream::new();
            let (finish, end) = wit_future::new(|| Ok(None));
            Outgoing { contents: Some(contents), end, write: Write::Full(bytes, writer, finish) }
        }
        Kind::Stream(pieces) => {
            let (contents, end) = pieces.send();
            Outgoing { contents: Some(contents), end, write: Write::Started }
        }
    }
}

/// Writes a body of one chunk. An error means that the reader was dropped, which is allowed.
async fn write(bytes: Bytes, mut writer: StreamWriter<u8>, finish: EndWriter) {
    writer.write_all(bytes.into()).await;
    drop(writer);
    let _ = finish.write(Ok(None)).await;
}
