//! Determines whether a request has a body, by its length or its first frame.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a request waits for the first frame of its body. If the body ends within this time, the request is sent
/// without one; a component that writes available data decides this sooner. A slower body is streamed.
const FIRST_FRAME_TIMEOUT: Duration = Duration::from_millis(100);

/// Reads the first frame of `body`. Returns `None` if the body is empty.
///
/// # Errors
/// The body fails.
pub(super) async fn peek(mut body: WasiBody) -> Result<Option<WasiBody>, Error> {
    if body.is_end_stream() {
        return Ok(None);
    }
    if body.size_hint().lower() > 0 {
        return Ok(Some(body));
    }
    match timeout(FIRST_FRAME_TIMEOUT, first_frame(&mut body)).await {
        Ok(None) => Ok(None),
        Ok(Some(first)) => Ok(Some(PeekedBody { first: Some(first?), rest: body }.boxed_unsync())),
        Err(_) => Ok(Some(body)),
    }
}

async fn first_frame(body: &mut WasiBody) -> Option<Result<Frame<Bytes>, Error>> {
    loop {
        match body.frame().await? {
            Ok(frame) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
            first => return Some(first),
        }
    }
}

/// A body whose first frame has been read.
struct PeekedBody {
    first: Option<Frame<Bytes>>,
    rest: WasiBody,
}

impl Body for PeekedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.first.take() {
            Some(first) => Poll::Ready(Some(Ok(first))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }

    /// Only bodies of unknown length are peeked.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
