//! A request that can be sent once more, because its connection was closed before it was heard.
//!
//! A server may close a connection that it keeps at any time, also while a request is on its way (RFC 9112, 9.3.1).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::request::Parts;
use http::{Method, Request};
use hyper_util::client::legacy;

use super::error::is_closed;
use super::upload::Upload;

/// What is known of a connection. The stream and the pool share it.
#[derive(Debug, Clone, Default)]
pub(super) struct ConnectionUse(Arc<State>);

#[derive(Debug, Default)]
struct State {
    answered: AtomicBool,
    heard: AtomicBool,
}

impl ConnectionUse {
    /// Bytes were sent.
    pub(super) fn wrote(&self) {
        self.0.heard.store(false, Relaxed);
    }

    /// Bytes were received.
    pub(super) fn read(&self) {
        self.0.heard.store(true, Relaxed);
    }

    /// A response came.
    pub(super) fn answered(&self) {
        self.0.answered.store(true, Relaxed);
    }
}

/// The head of a request without a body that may be sent twice (RFC 9110, 9.2.2).
pub(super) struct Replay(Parts);

impl Replay {
    pub(super) fn of(request: &Request<Upload>) -> Option<Self> {
        let idempotent = matches!(
            *request.method(),
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        );
        if !idempotent || !request.body().is_none() {
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

/// Whether a request failed because the server had closed a connection that it had answered on before. Over HTTP/1 not a
/// byte of a response may have come; over HTTP/2 its head would have been a response.
pub(super) fn was_stale(error: &legacy::Error) -> bool {
    let Some(connected) = error.connect_info() else { return false };
    let mut extensions = http::Extensions::new();
    connected.get_extras(&mut extensions);
    let Some(ConnectionUse(state)) = extensions.get() else { return false };
    let heard = state.heard.load(Relaxed) && !connected.is_negotiated_h2();
    state.answered.load(Relaxed) && !heard && is_closed(error)
}
