//! Header fields of HTTP: those that a guest receives, and those that it sends.

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Version};
use tempo_wasi_http::fuzzing::{content_length, receive, strip};

use crate::input::SEPARATOR;
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "http_fields",
    run,
    seeds,
    tokens: &[
        "connection: ",
        "cookie: ",
        "te: ",
        "trailers",
        "content-length: ",
        "close",
        "x-one",
        "x-two",
        ",",
        ";",
        " ",
        "\t",
        ": ",
        "\u{ff}",
        "host: ",
        "upgrade: ",
        "transfer-encoding: ",
        "keep-alive",
        "+5",
        "5",
        "\u{80}",
    ],
};

/// Fields that apply to one connection, and are removed from those of a guest.
const OF_CONNECTION: &[HeaderName] =
    &[header::CONNECTION, header::HOST, header::TRANSFER_ENCODING, header::UPGRADE, header::PROXY_AUTHORIZATION];

/// Parses fields, one a text, and prepares them for a guest and for a server.
pub fn run(data: &[u8]) -> Outcome {
    let fields = fields(data);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let mut request = Request::new(());
        (*request.version_mut(), *request.headers_mut()) = (version, fields.clone());
        receive(&mut request);
        check_received(&fields, version, request.headers());
    }
    let mut sent = fields.clone();
    strip(&mut sent);
    check_sent(&fields, &sent);
    if let Some(length) = content_length(&fields) {
        let text = fields.get(header::CONTENT_LENGTH).map(HeaderValue::as_bytes).unwrap_or_default();
        assert!(text.iter().all(u8::is_ascii_digit), "{length} of {}", text.escape_ascii());
    }
    Outcome::of(!fields.is_empty())
}

fn fields(data: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for line in data.split(|byte| *byte == SEPARATOR) {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii())) {
            fields.append(name, value);
        }
    }
    fields
}

/// Returns the names in `Connection`, by the definition.
fn named_by_connection(fields: &HeaderMap) -> Vec<HeaderName> {
    let values = fields.get_all(header::CONNECTION).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok()).collect()
}

fn check_received(fields: &HeaderMap, version: Version, received: &HeaderMap) {
    let crumbs = |fields: &HeaderMap| {
        let values = fields.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
        values.collect::<Vec<_>>().join(&b"; "[..])
    };
    if version == Version::HTTP_2 {
        assert!(received.get_all(header::COOKIE).iter().count() <= 1);
        assert_eq!(crumbs(received), crumbs(fields));
    } else {
        assert!(!named_by_connection(fields).iter().any(|name| received.contains_key(name)), "{fields:?}");
    }
    assert!(received.len() <= fields.len());
}

fn check_sent(fields: &HeaderMap, sent: &HeaderMap) {
    let named = named_by_connection(fields);
    let is_trailers = |value: &HeaderValue| value == "trailers";
    assert!(sent.get_all(header::TE).iter().all(is_trailers));
    for name in OF_CONNECTION.iter().chain(named.iter().filter(|name| **name != header::TE)) {
        assert!(!sent.contains_key(name), "{name} of {fields:?}");
    }
    let mut again = sent.clone();
    strip(&mut again);
    assert_eq!(again, *sent);
    // The other fields are kept, in order.
    for name in sent.keys().filter(|name| **name != header::TE) {
        assert!(sent.get_all(name).iter().eq(fields.get_all(name)), "{name} of {fields:?}");
    }
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        crate::input::seed(&["connection: close, X-One,, no name", "x-one: 1", "x-one: 2", "x-two: 3"]),
        crate::input::seed(&["cookie: a=1", "cookie: b=2", "te: trailers", "host: a", "content-length: 5"]),
        crate::input::seed(&["te: gzip, trailers", "connection: te, keep-alive", "keep-alive: 5", "upgrade: h2c"]),
    ]
}
