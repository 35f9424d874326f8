//! Whether a request has a body: what its length says, or its first part.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::time::timeout;
use wasmtime_wasi_http::{Error, WasiBody};

/// How long a request waits for the first part of its body. A body that ends within this time without one is none; with a
/// component that writes what it has at hand, that is decided long before. One that is slower is sent as it comes.
const FIRST_PART_TIMEOUT: Duration = Duration::from_millis(100);

/// Looks for the first part of `body`. `None` if it has none.
///
/// # Errors
/// The body fails instead.
pub(super) async fn open(mut body: WasiBody) -> Result<Option<WasiBody>, Error> {
    if body.is_end_stream() {
        return Ok(None);
    }
    if body.size_hint().lower() > 0 {
        return Ok(Some(body));
    }
    match timeout(FIRST_PART_TIMEOUT, first_part(&mut body)).await {
        Ok(None) => Ok(None),
        Ok(Some(first)) => Ok(Some(Opened { first: Some(first?), rest: body }.boxed_unsync())),
        Err(_) => Ok(Some(body)),
    }
}

async fn first_part(body: &mut WasiBody) -> Option<Result<Frame<Bytes>, Error>> {
    loop {
        match body.frame().await? {
            Ok(frame) if frame.data_ref().is_some_and(Bytes::is_empty) => {}
            first => return Some(first),
        }
    }
}

/// A body whose first frame has been taken out.
struct Opened {
    first: Option<Frame<Bytes>>,
    rest: WasiBody,
}

impl Body for Opened {
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

    /// A body that has a length is not opened.
    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
