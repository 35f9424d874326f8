//! Headers and trailers between the `http` crate and the host.

use crate::{Error, ErrorKind};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use wasip3::http::types::Fields;

/// Hands a map to the host. An empty map costs one host call and no allocation, any other one call as well.
pub(crate) fn to_host(map: &HeaderMap) -> Result<Fields, Error> {
    if map.is_empty() {
        return Ok(Fields::new());
    }
    let list: Vec<(String, Vec<u8>)> =
        map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_owned())).collect();
    Fields::from_list(&list)
        .map_err(|error| Error::new(ErrorKind::InvalidRequest, format!("the host refuses a header: {error:?}")))
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
