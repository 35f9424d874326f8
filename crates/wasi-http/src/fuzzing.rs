//! The entry points of the fuzz targets.

use http::{HeaderMap, Request};

/// Prepares the header fields of a received request for the guest.
pub fn receive(request: &mut Request<()>) {
    crate::server::receive(request);
}

/// Removes the connection-specific fields from those that a guest sends.
pub fn strip(headers: &mut HeaderMap) {
    crate::client::strip(headers);
}

/// Returns the length that a guest's response announces.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    crate::server::content_length(headers)
}
