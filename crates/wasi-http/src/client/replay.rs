//! Retries a request whose connection was closed before the server received it.
//!
//! A server may close an idle connection at any time, also while a request is in flight (RFC 9112, 9.3.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::request::Parts;
use http::{Method, Request};
use hyper_util::client::legacy;

use super::error::is_closed;
use super::upload::Upload;

/// Use of a connection. Shared by the stream and the pool.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionUse(Arc<State>);

#[derive(Debug, Default)]
struct State {
    answered: AtomicBool,
    received: AtomicBool,
}

impl ConnectionUse {
    /// Records that bytes were sent.
    pub(super) fn wrote(&self) {
        self.0.received.store(false, Relaxed);
    }

    /// Records that bytes were received.
    pub(super) fn read(&self) {
        self.0.received.store(true, Relaxed);
    }

    /// Records that a response was received.
    pub(super) fn answered(&self) {
        self.0.answered.store(true, Relaxed);
    }
}

/// The head of a request without a body that may be retried (RFC 9110, 9.2.2).
pub(super) struct Replay(Parts);

impl Replay {
    pub(super) fn of(request: &Request<Upload>) -> Option<Self> {
        let idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        );
        if !idempotent || !request.body().is_absent() {
            return None;
        }
        let mut copy = Request::new(());
        *copy.method_mut() = request.method().clone();
        *copy.uri_mut() = request.uri().clone();
        *copy.headers_mut() = request.headers().clone();
        Some(Self(copy.into_parts().0))
    }

    pub(super) fn into_request(self) -> Request<Upload> {
        Request::from_parts(self.0, Upload::empty())
    }
}

/// Returns whether a request failed because the server had closed a connection on which it had answered before. Over
/// HTTP/1 no byte of a response may have arrived; over HTTP/2, its head would have been a response.
pub(super) fn was_stale(error: &legacy::Error) -> bool {
    let Some(connected) = error.connect_info() else { return false };
    let mut extensions = http::Extensions::new();
    connected.get_extras(&mut extensions);
    let Some(ConnectionUse(state)) = extensions.get() else { return false };
    let received = state.received.load(Relaxed) && !connected.is_negotiated_h2();
    state.answered.load(Relaxed) && !received && is_closed(error)
}
