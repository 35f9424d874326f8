//! Prepares a request's header fields for the guest.

use bytes::{BufMut as _, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Version, header};

use crate::fields::remove_named_by_connection;

/// Removes connection-specific fields, and joins the `cookie` fields of HTTP/2.
pub(crate) fn receive<B>(request: &mut Request<B>) {
    if request.version() == Version::HTTP_2 {
        join_cookies(request.headers_mut());
    } else {
        remove_named_by_connection(request.headers_mut());
    }
}

/// Joins the `cookie` fields that HTTP/2 lets a client split (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(_)) = (crumbs.next(), crumbs.next()) else { return };
    let mut joined = BytesMut::from(first.as_bytes());
    for crumb in headers.get_all(header::COOKIE).iter().skip(1) {
        joined.put_slice(b"; ");
        joined.put_slice(crumb.as_bytes());
    }
    let sensitive = first.is_sensitive();
    // Valid values joined by a valid separator are a valid value.
    if let Ok(mut cookie) = HeaderValue::from_maybe_shared(joined.freeze()) {
        cookie.set_sensitive(sensitive);
        headers.insert(header::COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookies(version: Version, values: &[&'static str]) -> Vec<HeaderValue> {
        let mut request = Request::builder().version(version);
        for value in values {
            request = request.header("cookie", *value);
        }
        let mut request = request.body(()).unwrap();
        receive(&mut request);
        request.headers().get_all("cookie").iter().cloned().collect()
    }

    #[test]
    fn cookies_of_http_2_become_one() {
        assert_eq!(cookies(Version::HTTP_2, &["a=1", "b=2", "c=3"]), ["a=1; b=2; c=3"]);
        assert_eq!(cookies(Version::HTTP_2, &["a=1"]), ["a=1"]);
        assert!(cookies(Version::HTTP_2, &[]).is_empty());
        assert_eq!(cookies(Version::HTTP_11, &["a=1", "b=2"]), ["a=1", "b=2"]);
    }
}
