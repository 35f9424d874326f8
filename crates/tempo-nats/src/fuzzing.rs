//! The entry points of the fuzz targets.

use tempo_settings::{BackendUrl, Error};

use crate::address::Address;

/// Parses the URL of a bucket and returns its displayed form, and the number of its servers.
///
/// # Errors
///
/// The URL is malformed.
pub fn bucket(url: &BackendUrl) -> Result<(String, usize), Error> {
    let address = Address::parse(url)?;
    Ok((address.to_string(), address.servers().len()))
}

/// Parses the URL of a broker and returns its displayed form, and the subjects of a new stream.
///
/// # Errors
///
/// The URL is malformed.
pub fn broker(url: &BackendUrl) -> Result<(String, Vec<String>), Error> {
    let (address, subjects) = Address::parse_broker(url)?;
    Ok((address.to_string(), subjects))
}
