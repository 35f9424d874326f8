//! The entry points of the fuzz targets.

use tempo_settings::{BackendUrl, Error};

/// Parses the URL of a bucket in a cloud. Returns the bucket, and the prefix of the objects' keys.
///
/// # Errors
///
/// The URL is malformed.
pub fn bucket(url: &BackendUrl) -> Result<(String, String), Error> {
    crate::cloud::bucket(url)
}
