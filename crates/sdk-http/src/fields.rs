//! Headers and trailers between the `http` crate and the host.

use crate::body::{Body, Kind};
use crate::{Error, ErrorKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use wasip3::http::types::{Fields, HeaderError};

/// Hands a map to the host. An empty map costs one host call and no allocation, any other one call as well.
pub(crate) fn to_host(map: &HeaderMap) -> Result<Fields, Error> {
    if map.is_empty() {
        return Ok(Fields::new());
    }
    from_list(&list(map))
}

/// The same with `content-length` where the length is known, so that the host need not chunk.
pub(crate) fn with_length(map: &HeaderMap, body: &Body) -> Result<Fields, Error> {
    let Kind::Full(bytes) = &body.kind else { return to_host(map) };
    let mut list = list(map);
    if !map.contains_key(header::CONTENT_LENGTH) {
        list.push((header::CONTENT_LENGTH.as_str().to_owned(), bytes.len().to_string().into_bytes()));
    }
    from_list(&list)
}

/// All fields in the host's form, with room for one more.
fn list(map: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let mut list = Vec::with_capacity(map.len() + 1);
    list.extend(map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())));
    list
}

fn from_list(list: &[(String, Vec<u8>)]) -> Result<Fields, Error> {
    Fields::from_list(list).map_err(|error| {
        let why = match error {
            HeaderError::InvalidSyntax => "its syntax is invalid",
            HeaderError::Forbidden => "it is the host's to set",
            HeaderError::SizeExceeded => "the headers are too large",
            HeaderError::Immutable | HeaderError::Other(_) => "no reason given",
        };
        Error::new(ErrorKind::InvalidRequest, format!("the host refuses a header: {why}"))
    })
}

/// Reads all fields from the host. Hosts hold parsed fields only; one that `http` cannot represent is left out.
pub(crate) fn from_host(fields: &Fields) -> HeaderMap {
    let list = fields.copy_all();
    let mut map = HeaderMap::with_capacity(list.len());
    for (name, value) in list {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_maybe_shared(Bytes::from(value));
        if let (Ok(name), Ok(value)) = (name, value) {
            map.append(name, value);
        }
    }
    map
}
