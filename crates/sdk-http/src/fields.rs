//! Converts headers and trailers between the `http` crate and the host.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use wasip3::http::types::{Fields, HeaderError};

use crate::body::{Body, Kind};
use crate::{Error, ErrorKind};

/// Converts a map to the host's fields, in one host call. An empty map needs no allocation.
pub(crate) fn to_host(map: &HeaderMap) -> Result<Fields, Error> {
    if map.is_empty() {
        return Ok(Fields::new());
    }
    from_list(&list(map))
}

/// As [`to_host`], with the `content-length` of a body of known length, so that the host need not chunk. An empty body
/// gets no length: that of a response may be left out because the request is a HEAD.
pub(crate) fn with_length(map: &HeaderMap, body: &Body) -> Result<Fields, Error> {
    match &body.kind {
        Kind::Full(bytes) => of_length(map, bytes.len()),
        Kind::Empty | Kind::Stream(_) => to_host(map),
    }
}

/// As [`with_length`], for a request: an empty body gets a length of 0 if servers expect one for the method.
pub(crate) fn of_request(map: &HeaderMap, method: &Method, body: &Body) -> Result<Fields, Error> {
    match &body.kind {
        Kind::Empty if !matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS) => {
            of_length(map, 0)
        }
        _ => with_length(map, body),
    }
}

fn of_length(map: &HeaderMap, length: usize) -> Result<Fields, Error> {
    let mut list = list(map);
    if !map.contains_key(header::CONTENT_LENGTH) {
        list.push((header::CONTENT_LENGTH.as_str().to_owned(), length.to_string().into_bytes()));
    }
    from_list(&list)
}

/// Collects all fields in the host's form, with capacity for one more.
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

/// Converts the host's fields to a map. Hosts hold valid fields only; a field that `http` cannot represent is left out.
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

/// Returns the announced length of a body, if `map` has one that is valid.
pub(crate) fn length(map: &HeaderMap) -> Option<u64> {
    let mut lengths = map.get_all(header::CONTENT_LENGTH).iter();
    let (Some(length), None) = (lengths.next(), lengths.next()) else { return None };
    // `u64::from_str` accepts a sign.
    length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announced_length_is_one_number() {
        let lengths = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::CONTENT_LENGTH, HeaderValue::from_static(value)));
            length(&values.collect())
        };
        assert_eq!(lengths(&["12"]), Some(12));
        for invalid in [&[][..], &["+12"], &["12", "12"], &["1 2"], &["99999999999999999999"]] {
            assert_eq!(lengths(invalid), None, "{invalid:?}");
        }
    }
}
