//! Prepares a component's request for sending: one host, one length, no connection-specific fields.
//!
//! Wasmtime already rejects most of these fields. They are removed here too, because the framing and routing of
//! requests must not depend on another crate's list.

use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, Uri, Version};
use http_body::Body as _;
use wasmtime_wasi_http::{Error, WasiBody};

use super::peek::peek;
use super::transmission::Transmission;
use super::upload::{Progress, Upload};
use crate::egress::{Policy, Target};
use crate::fields::remove_named_by_connection;

/// Connection-specific fields (RFC 9110, 7.6.1), and `Host`, which hyper writes from the URL.
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

/// Checks the request against the policy and prepares it for sending. Waits until it is known whether it has a body.
pub(super) async fn prepare(
    request: Request<WasiBody>,
    policy: &Policy,
    progress: Arc<Progress>,
) -> Result<(Request<Upload>, Transmission), Error> {
    if request.method() == Method::CONNECT {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let target = policy.permit_url(request.uri())?;
    prepare_for(target, request, progress).await
}

/// Prepares a request to `target`, which the policy has permitted.
pub(super) async fn prepare_for(
    target: Target,
    request: Request<WasiBody>,
    progress: Arc<Progress>,
) -> Result<(Request<Upload>, Transmission), Error> {
    let (mut parts, body) = request.into_parts();
    if is_grpc(&parts.headers) {
        target.report_grpc();
    }
    parts.uri = normalised(&target, &parts.method, &parts.uri)?;
    parts.version = Version::HTTP_11;
    parts.extensions.clear();
    if parts.headers.contains_key(header::UPGRADE) {
        return Err(Error::HttpUpgradeFailed);
    }
    strip(&mut parts.headers);
    if let Some(host) = written_port(&target, &parts.uri) {
        parts.headers.insert(header::HOST, host);
    }
    let (upload, transmission) = match declared_length(&parts.headers)? {
        Some(0) => {
            announce_nothing(&mut parts);
            if body.is_end_stream() {
                (Upload::empty(), Transmission::done())
            } else {
                (Upload::empty(), Transmission::expect_empty(body, Error::HttpRequestBodySize(Some(0))))
            }
        }
        Some(declared) => {
            if let Some(exact) = body.size_hint().exact().filter(|exact| *exact != declared) {
                return Err(Error::HttpRequestBodySize(Some(exact)));
            }
            Upload::new(body, Some(declared), progress)
        }
        None => match peek(body).await? {
            Some(body) => {
                announce_chunks(&mut parts, &body);
                Upload::new(body, None, progress)
            }
            None => {
                announce_nothing(&mut parts);
                (Upload::empty(), Transmission::done())
            }
        },
    };
    Ok((Request::from_parts(parts, upload), transmission))
}

/// Returns whether the fields are those of a gRPC request, which only HTTP/2 can carry.
fn is_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.as_bytes().strip_prefix(b"application/grpc"));
    // `application/grpc-web` works over HTTP/1.1 too.
    matches!(kind, Some([] | [b'+' | b';', ..]))
}

/// Declares an empty body. Methods without a body carry no length: some servers then wait for one (RFC 9110, 8.6).
fn announce_nothing(parts: &mut Parts) {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE) {
        parts.headers.remove(header::CONTENT_LENGTH);
    } else {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

/// Declares a chunked body for methods that seldom have one, where hyper would drop it otherwise.
fn announce_chunks(parts: &mut Parts, body: &WasiBody) {
    if matches!(parts.method, Method::GET | Method::HEAD) && body.size_hint().exact().is_none() {
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Returns the URL with the checked host and the original path and query. `OPTIONS *` asks about the whole server.
fn normalised(target: &Target, method: &Method, uri: &Uri) -> Result<Uri, Error> {
    let path = uri.path();
    if !path.starts_with('/') && (method, path) != (&Method::OPTIONS, "*") {
        return Err(Error::HttpRequestUriInvalid);
    }
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let authority = match written_port(target, uri) {
        Some(host) => Authority::try_from(host.as_bytes()).map_err(|_| Error::HttpRequestUriInvalid)?,
        None => target.authority().try_into().map_err(|_| Error::HttpRequestUriInvalid)?,
    };
    Uri::builder()
        .scheme(target.scheme().as_str())
        .authority(authority)
        .path_and_query(path_and_query)
        .build()
        .map_err(|_| Error::HttpRequestUriInvalid)
}

/// Returns host and port if the component wrote the scheme's default port, which hyper omits: signatures may cover the
/// exact `Host`.
fn written_port(target: &Target, uri: &Uri) -> Option<HeaderValue> {
    let port = uri.port_u16()?;
    target.has_default_port().then(|| HeaderValue::try_from(format!("{}:{port}", target.authority())).ok())?
}

/// Removes connection-specific fields, also from trailers.
pub(crate) fn strip(headers: &mut HeaderMap) {
    remove_named_by_connection(headers);
    for name in NOT_FORWARDED.iter().chain([&header::UPGRADE]) {
        headers.remove(name);
    }
    // `TE: trailers` is kept, as trailers are supported; hyper handles transfer codings.
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_port_that_was_written_stays() {
        let policy = Policy::new(["http://*:*", "https://*:*"], []).unwrap();
        let sent = |url: &str| {
            let uri: Uri = url.parse().unwrap();
            let target = policy.permit_url(&uri).unwrap();
            let uri = normalised(&target, &Method::GET, &uri).unwrap();
            let host = written_port(&target, &uri).map(|host| host.to_str().unwrap().to_owned());
            (uri.to_string(), host)
        };
        assert_eq!(sent("http://A.test:80/"), ("http://a.test:80/".to_owned(), Some("a.test:80".to_owned())));
        assert_eq!(sent("https://a.test:443/x"), ("https://a.test:443/x".to_owned(), Some("a.test:443".to_owned())));
        // hyper writes these itself.
        assert_eq!(sent("https://a.test:80/"), ("https://a.test:80/".to_owned(), None));
        assert_eq!(sent("https://a.test/"), ("https://a.test/".to_owned(), None));
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
