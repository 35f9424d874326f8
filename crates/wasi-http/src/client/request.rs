//! Makes a component's request fit for the wire: one host, one length, nothing that belongs to a connection.
//!
//! Wasmtime already keeps components from setting most of these fields. They are removed here too, because how a server
//! behind a proxy frames and routes a request must not hang on another crate's list.

use super::transmission::Transmission;
use super::upload::{Progress, Upload};
use crate::egress::{Policy, Target};
use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request, Uri, Version};
use http_body::Body as _;
use std::sync::Arc;
use wasmtime_wasi_http::{Error, WasiBody};

/// Fields that concern one connection (RFC 9110, 7.6.1), and the one that hyper writes itself from the URL.
const NOT_FORWARDED: [HeaderName; 8] = [
    header::CONNECTION,
    header::HOST,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TRANSFER_ENCODING,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Checks the request against the policy and prepares it for sending.
pub(super) fn prepare(
    request: Request<WasiBody>,
    policy: &Policy,
    progress: Arc<Progress>,
) -> Result<(Request<Upload>, Transmission), Error> {
    let (mut parts, body) = request.into_parts();
    if parts.method == Method::CONNECT {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let target = policy.permit_url(&parts.uri)?;
    parts.uri = normalised(&target, &parts.uri)?;
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    if parts.headers.contains_key(header::UPGRADE) {
        return Err(Error::HttpUpgradeFailed);
    }
    strip(&mut parts.headers);
    let declared = declared_length(&parts.headers)?;
    let (upload, transmission) = match declared {
        // HTTP/1.1 gives these requests no body that is not announced; hyper would drop it without a word.
        None if unannounced(&parts.method, &body) => {
            (Upload::empty(), Transmission::silent(body, Error::HttpRequestLengthRequired))
        }
        Some(0) if !body.is_end_stream() => {
            (Upload::empty(), Transmission::silent(body, Error::HttpRequestBodySize(Some(0))))
        }
        declared => {
            if let Some((declared, exact)) = declared.zip(body.size_hint().exact())
                && declared != exact
            {
                return Err(Error::HttpRequestBodySize(Some(exact)));
            }
            Upload::new(body, declared, progress)
        }
    };
    Ok((Request::from_parts(parts, upload), transmission))
}

/// The URL with the host that was checked, and with the path and query as they were given.
fn normalised(target: &Target, uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path();
    if !path.starts_with('/') {
        return Err(Error::HttpRequestUriInvalid);
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    Uri::builder()
        .scheme(target.scheme().as_str())
        .authority(target.authority())
        .path_and_query(path_and_query)
        .build()
        .map_err(|_| Error::HttpRequestUriInvalid)
}

/// Removes what concerns a single connection. Used for trailers as well.
pub(super) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&NOT_FORWARDED).chain([&header::UPGRADE]) {
        headers.remove(name);
    }
    // `TE: trailers` tells the server that trailers are understood, which holds; transfer codings are hyper's affair.
    let trailers = headers.get_all(header::TE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"trailers"));
    headers.remove(header::TE);
    if trailers {
        headers.insert(header::TE, header::HeaderValue::from_static("trailers"));
    }
}

fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let mut values = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let digits = value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    match (digits.and_then(|text| text.parse().ok()), values.next()) {
        (Some(length), None) => Ok(Some(length)),
        _ => Err(Error::HttpRequestBodySize(None)),
    }
}

fn unannounced(method: &Method, body: &WasiBody) -> bool {
    matches!(*method, Method::GET | Method::HEAD) && !body.is_end_stream() && body.size_hint().exact().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn fields_of_one_connection_are_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("connection", "te"),
            ("x-private", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic eA=="),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            ("host", "evil.test"),
            ("host", "evil2.test"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
            ("x-kept", "1"),
            ("trailer", "x-sum"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        strip(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["trailer", "x-kept"]);
        headers.append("te", HeaderValue::from_static("Trailers"));
        strip(&mut headers);
        assert_eq!(headers.get("te").unwrap(), "trailers");
    }

    #[test]
    fn a_length_is_one_number() {
        let length = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_LENGTH, HeaderValue::from_static(value));
            }
            declared_length(&headers)
        };
        assert!(matches!(length(&[]), Ok(None)));
        assert!(matches!(length(&["0"]), Ok(Some(0))));
        assert!(matches!(length(&["12"]), Ok(Some(12))));
        for bad in [&["12", "12"][..], &["12, 12"], &["+5"], &["-5"], &[""], &["0x10"], &["99999999999999999999"]] {
            assert!(matches!(length(bad), Err(Error::HttpRequestBodySize(None))), "{bad:?}");
        }
    }
}
