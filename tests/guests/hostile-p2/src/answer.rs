//! Parses the target, and responds with a text.

use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::OutputStream;

/// The maximum size of one blocking write, in bytes.
const WRITE: usize = 4096;

/// The path and the query of a request.
pub(crate) struct Target {
    pub(crate) path: String,
    query: String,
}

impl Target {
    pub(crate) fn of(request: &IncomingRequest) -> Self {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Self { path: path.to_owned(), query: query.to_owned() }
    }

    /// Returns the query value of `name`, not decoded; empty without one.
    pub(crate) fn text(&self, name: &str) -> String {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    /// Returns the query value of `name` as a number, or `default`.
    pub(crate) fn number(&self, name: &str, default: u64) -> u64 {
        self.text(name).parse().unwrap_or(default)
    }
}

/// Sends the head and returns the body.
pub(crate) fn start(outparam: ResponseOutparam, status: u16) -> Option<OutgoingBody> {
    let response = OutgoingResponse::new(Fields::new());
    response.set_status_code(status).ok()?;
    let body = response.body().ok()?;
    ResponseOutparam::set(outparam, Ok(response));
    Some(body)
}

/// Responds with a text.
pub(crate) fn text(outparam: ResponseOutparam, status: u16, text: &str) {
    let Some(body) = start(outparam, status) else { return };
    if let Ok(stream) = body.write() {
        write(&stream, text.as_bytes());
    }
    let _ = OutgoingBody::finish(body, None);
}

/// Writes all bytes. Returns `false` if the reader was dropped.
pub(crate) fn write(stream: &OutputStream, bytes: &[u8]) -> bool {
    bytes.chunks(WRITE).all(|piece| stream.blocking_write_and_flush(piece).is_ok())
}
