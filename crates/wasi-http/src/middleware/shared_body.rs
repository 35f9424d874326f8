//! `SharedBody`: the body of a request that middleware reads, or passes on.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use wasmtime_wasi_http::{Error, WasiBody};

/// A body with two owners: the resource of a request, which wasmtime does not return, and the call. The one that reads it
/// first has it.
#[derive(Clone)]
pub(crate) struct SharedBody(Arc<Mutex<Option<WasiBody>>>);

impl SharedBody {
    /// Shares `body`.
    pub(crate) fn new(body: WasiBody) -> Self {
        Self(Arc::new(Mutex::new(Some(body))))
    }

    /// Takes the body, which is empty for the other owner from then on. `None` if it was taken before.
    pub(crate) fn take(&self) -> Option<WasiBody> {
        self.with(Option::take)
    }

    fn with<R>(&self, read: impl FnOnce(&mut Option<WasiBody>) -> R) -> R {
        // The lock is held for one poll, on the thread of the call.
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Body for SharedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.with(|body| body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(cx)))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.as_ref().is_none_or(Body::is_end_stream))
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Full};

    use super::*;

    #[tokio::test]
    async fn a_body_has_one_reader() {
        let body =
            || SharedBody::new(Full::new(Bytes::from_static(b"text")).map_err(|never| match never {}).boxed_unsync());
        let shared = body();
        assert_eq!(shared.size_hint().exact(), Some(4));
        assert_eq!(shared.clone().collect().await.unwrap().to_bytes(), "text");
        assert!(shared.is_end_stream());
        let shared = body();
        assert!(shared.take().is_some_and(|body| !body.is_end_stream()));
        assert!(shared.take().is_none() && shared.is_end_stream());
        assert_eq!(shared.collect().await.unwrap().to_bytes(), "");
    }
}
