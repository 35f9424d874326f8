//! The entry points of the fuzz targets.

use std::sync::Arc;

use http::StatusCode;

use crate::Recent;
use crate::intake;

/// Receives the body of an OTLP request to `path`, compressed with gzip or not.
///
/// # Errors
///
/// The status and text of the response to a malformed request.
pub fn receive(recent: &Recent, path: &str, compressed: bool, body: &[u8]) -> Result<(), (StatusCode, &'static str)> {
    if compressed { intake::read(recent, path, &intake::decompress(body)?) } else { intake::read(recent, path, body) }
}

/// Returns the first rows of the spans and of the lines, each a JSON object.
pub fn rows(recent: &Recent) -> (Vec<Arc<str>>, Vec<Arc<str>>) {
    let batch = recent.after(0);
    (batch.spans, batch.lines)
}
