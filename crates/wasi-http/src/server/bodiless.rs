//! Responses without a body, whatever the guest writes: those to HEAD, and 204 and 304 (RFC 9110, 6.4.1).

use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header};

/// Returns whether a response has no body.
pub(crate) fn is_bodiless(to_head: bool, status: StatusCode) -> bool {
    to_head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Returns the length that `headers` announce.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    parse_length(headers.get(header::CONTENT_LENGTH)?)
}

/// Returns whether each length that `headers` announce is a number, and the same. hyper sends them as they are.
pub(super) fn has_valid_length(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter().map(parse_length);
    let Some(first) = lengths.next() else { return true };
    first.is_some() && lengths.all(|length| length == first)
}

/// Parses digits. `u64` alone would also accept a plus sign.
fn parse_length(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Completes the guest's head. `size` is the length of the body that the guest wrote to HEAD, if known: it becomes the
/// `Content-Length`, as for a GET. Returns the length of the omitted body, if hyper has to announce it.
pub(crate) fn complete(head: &mut Response<()>, to_head: bool, version: Version, size: Option<u64>) -> Option<u64> {
    let status = head.status();
    let headers = head.headers_mut();
    match status {
        StatusCode::NO_CONTENT => {
            headers.remove(header::CONTENT_LENGTH);
        }
        StatusCode::NOT_MODIFIED => {}
        _ => {
            if let Some(size) = size.filter(|size| *size > 0) {
                headers.entry(header::CONTENT_LENGTH).or_insert(size.into());
            }
        }
    }
    // hyper omits the length where HTTP/1 has no body, except for HEAD.
    content_length(headers).filter(|_| !to_head && version <= Version::HTTP_11)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn length(status: u16, to_head: bool, version: Version, declared: Option<u64>) -> (Option<u64>, Option<u64>) {
        let mut head = Response::builder().status(status);
        if let Some(declared) = declared {
            head = head.header("content-length", declared);
        }
        let mut head = head.body(()).unwrap();
        let omitted = complete(&mut head, to_head, version, Some(7));
        (content_length(head.headers()), omitted)
    }

    #[test]
    fn a_length_is_digits_and_one_number() {
        for (values, valid) in [
            (&[][..], true),
            (&["5"], true),
            (&["5", "5"], true),
            (&["5", "6"], false),
            (&["+5"], false),
            (&["5", "+5"], false),
            (&[""], false),
            (&["5, 5"], false),
            (&["18446744073709551616"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("content-length", HeaderValue::from_static(value));
            }
            assert_eq!(has_valid_length(&headers), valid, "{values:?}");
        }
    }

    #[test]
    fn a_length_goes_with_head_and_304_and_never_with_204() {
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(length(200, true, version, Some(5)), (Some(5), None));
            assert_eq!(length(200, true, version, None), (Some(7), None));
            assert_eq!(length(204, true, version, Some(5)), (None, None));
            assert_eq!(length(204, false, version, Some(5)), (None, None));
            assert_eq!(length(304, false, version, None), (None, None));
            assert_eq!(length(304, true, version, None), (None, None));
        }
        assert_eq!(length(304, false, Version::HTTP_11, Some(5)), (Some(5), Some(5)));
        assert_eq!(length(304, false, Version::HTTP_2, Some(5)), (Some(5), None));
    }
}
