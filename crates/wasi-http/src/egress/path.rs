//! The path part of a grant, compared segment by segment.
//!
//! The path is sent as the component wrote it, so a path that a server could read in two ways is not covered by a grant
//! that is limited to a path: dot segments in any spelling, encoded slashes, backslashes, and parameters behind dots.

use std::borrow::Cow;

/// The leading segments a path must have; none means any path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PathPrefix(Vec<Vec<u8>>);

impl PathPrefix {
    /// Reads the path of a granted URL. A slash at the end makes no difference.
    pub(super) fn new(path: &str) -> Option<Self> {
        let path = path.trim_start_matches('/').trim_end_matches('/');
        if path.is_empty() {
            return Some(Self::default());
        }
        path.split('/').map(segment).collect::<Option<_>>().map(Self)
    }

    /// Whether `path` (without a query) lies at or below the prefix.
    pub(super) fn covers(&self, path: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(path) = path.strip_prefix('/') else { return false };
        let Some(segments) = path.split('/').map(segment).collect::<Option<Vec<_>>>() else { return false };
        segments.starts_with(&self.0)
    }
}

/// Decodes one segment; `None` when a server might not take it for a plain segment.
fn segment(raw: &str) -> Option<Vec<u8>> {
    let decoded = decode(raw.as_bytes()).into_owned();
    // Some servers decode twice. Decoding shortens, so this ends.
    let mut plain = decoded.clone();
    while let Cow::Owned(next) = decode(&plain) {
        plain = next;
    }
    let name = plain.split(|byte| *byte == b';').next().unwrap_or_default();
    let ambiguous = matches!(name, b"." | b"..") || plain.iter().any(|byte| matches!(byte, b'/' | b'\\' | 0));
    (!ambiguous).then_some(decoded)
}

/// Replaces `%41` and its like; borrowed when there is nothing to replace.
fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_whole_segments() {
        let prefix = PathPrefix::new("/v1/users/").unwrap();
        for path in [
            "/v1/users",
            "/v1/users/",
            "/v1/users/7",
            "/v1/%75sers/7",
            "/v1/users//7",
            "/v1/users/...",
            "/v1/users/a;b",
        ] {
            assert!(prefix.covers(path), "{path}");
        }
        for path in ["/", "/v1", "/v1/user", "/v1/users2", "/V1/users", "//v1/users", "/v2/v1/users", "v1/users", "*"] {
            assert!(!prefix.covers(path), "{path}");
        }
    }

    #[test]
    fn refuses_what_a_server_may_read_differently() {
        let prefix = PathPrefix::new("/v1").unwrap();
        for path in [
            "/v1/../admin",
            "/v1/./x",
            "/v1/%2e%2e/admin",
            "/v1/.%2E/admin",
            "/v1/%252e%252e/admin",
            "/v1/..;/admin",
            "/v1/..;a=b/admin",
            "/v1/..%2fadmin",
            "/v1/..\\admin",
            "/v1/%5c..",
            "/v1/x%00",
            "/v1/..",
        ] {
            assert!(!prefix.covers(path), "{path}");
        }
    }

    #[test]
    fn an_empty_prefix_covers_everything() {
        for prefix in ["", "/", "//"] {
            assert!(PathPrefix::new(prefix).unwrap().covers("/a/../b"));
        }
        assert_eq!(PathPrefix::new("/a/%2e%2e/b"), None);
    }
}
