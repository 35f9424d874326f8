//! Connection-specific header fields (RFC 9110, 7.6.1).

use http::header::{self, HeaderMap, HeaderName};

/// Removes the fields that `Connection` names: they apply to this hop only.
pub(crate) fn remove_named_by_connection(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONNECTION) {
        return;
    }
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_name_that_is_no_text_hides_no_other() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_bytes(b"x-one, \xc2, x-two").unwrap());
        headers.insert("x-one", HeaderValue::from_static("1"));
        headers.insert("x-two", HeaderValue::from_static("2"));
        remove_named_by_connection(&mut headers);
        assert_eq!(headers.len(), 1);
    }

    #[test]
    fn what_connection_names_is_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-One,, no name"),
            ("connection", "x-two"),
            ("x-one", "1"),
            ("x-one", "2"),
            ("x-two", "3"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers.insert("x-kept", HeaderValue::from_static("4"));
        remove_named_by_connection(&mut headers);
        let left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left, ["connection", "x-kept"]);
    }
}
