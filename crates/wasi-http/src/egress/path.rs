//! The path of a grant, compared segment by segment.
//!
//! The path is sent as the component wrote it, so a grant with a path does not cover paths that servers may interpret
//! differently: dot segments in any spelling, also with characters that some parsers ignore (spaces, parameters,
//! invisible characters), encoded slashes and backslashes and characters that resemble them, control characters, and
//! overlong UTF-8.

use std::borrow::Cow;

/// The leading segments that a path must have; empty covers any path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PathPrefix(Vec<Vec<u8>>);

impl PathPrefix {
    /// Parses the path of a granted URL. A trailing slash makes no difference.
    pub(super) fn new(path: &str) -> Option<Self> {
        let path = path.trim_start_matches('/').trim_end_matches('/');
        if path.is_empty() {
            return Some(Self::default());
        }
        path.split('/').map(segment).collect::<Option<_>>().map(Self)
    }

    /// Returns whether `path` (without a query) lies at or below the prefix.
    pub(super) fn covers(&self, path: &str) -> bool {
        if self.0.is_empty() {
            return true;
        }
        let Some(path) = path.strip_prefix('/') else { return false };
        let Some(segments) = path.split('/').map(segment).collect::<Option<Vec<_>>>() else { return false };
        segments.starts_with(&self.0)
    }
}

/// Maximum nesting of percent-encodings in a segment. Legitimate URLs have at most two.
const MAX_ENCODINGS: usize = 4;

/// Decodes one segment. Returns `None` if a server may not interpret it as a plain segment.
fn segment(raw: &str) -> Option<Vec<u8>> {
    let decoded = decode(raw.as_bytes()).into_owned();
    if is_ordinary(&decoded) {
        return Some(decoded);
    }
    // Some servers decode twice, or map characters to similar ones and decode then.
    let mut plain = decoded.clone();
    for _ in 0..MAX_ENCODINGS {
        if is_overlong(&plain) || has_wide_escape(&plain) {
            return None;
        }
        let folded = fold(&String::from_utf8_lossy(&plain));
        let next = decode(folded.as_bytes()).into_owned();
        if next == plain {
            return (!is_ambiguous(&folded)).then_some(decoded);
        }
        plain = next;
    }
    None
}

/// Returns whether `segment` is unambiguous as it is, as most are.
fn is_ordinary(segment: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_~!$&'()*+,=:@".contains(byte);
    segment.iter().all(plain) && !matches!(segment, b"." | b"..")
}

/// Returns whether a folded segment is a dot segment, or contains a separator or a control character.
fn is_ambiguous(segment: &str) -> bool {
    // Windows ignores spaces after dots, and some parsers ignore them anywhere.
    let visible: String = segment.chars().filter(|character| !character.is_whitespace()).collect();
    let name = visible.split(';').next().unwrap_or_default();
    matches!(name, "." | "..")
        || segment.contains(|character: char| matches!(character, '/' | '\\') || character.is_control())
}

/// Replaces characters that Unicode compatibility forms or Windows code pages map to a dot, slash, backslash, percent
/// sign or semicolon, and removes invisible ones.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{2024}' | '\u{3002}' | '\u{fe12}' | '\u{fe52}' | '\u{ff61}' => folded.push('.'),
            '\u{2025}' | '\u{fe30}' => folded.push_str(".."),
            '\u{2044}' | '\u{2215}' | '\u{29f8}' => folded.push('/'),
            // Letters with a slash between them.
            '\u{2100}' | '\u{2101}' | '\u{2105}' | '\u{2106}' => folded.push('/'),
            '\u{a5}' | '\u{20a9}' | '\u{2216}' | '\u{29f5}' | '\u{29f9}' | '\u{fe68}' => folded.push('\\'),
            '\u{fe6a}' => folded.push('%'),
            '\u{37e}' | '\u{fe54}' => folded.push(';'),
            // The full-width forms of ASCII: % and two digits may be among them.
            '\u{ff01}'..='\u{ff5e}' => {
                let code = u32::from(character).saturating_sub(0xff01 - 0x21);
                folded.push(char::from_u32(code).unwrap_or(character));
            }
            '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffd}'
            | '\u{e0000}'..='\u{e0fff}' => {}
            other => folded.push(other),
        }
    }
    folded
}

/// Returns whether `bytes` contain overlong UTF-8, which lenient decoders accept.
fn is_overlong(bytes: &[u8]) -> bool {
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    bytes.iter().any(|byte| matches!(byte, 0xc0 | 0xc1 | 0xf8..))
        || pairs.into_iter().any(|pair| matches!(pair, (0xe0, 0x80..=0x9f) | (0xf0, 0x80..=0x8f)))
}

/// Returns whether `bytes` contain Microsoft's `%u002e` form.
fn has_wide_escape(bytes: &[u8]) -> bool {
    let wide = |window: &[u8]| matches!(window, [b'%', b'u' | b'U', digit] if digit.is_ascii_hexdigit());
    bytes.windows(3).any(wide)
}

/// Decodes percent-encoding; borrowed if there is none.
fn decode(bytes: &[u8]) -> Cow<'_, [u8]> {
    percent_encoding::percent_decode(bytes).into()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::RngSeed;

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
            "/v1/..%20/admin",
            "/v1/%20../admin",
            "/v1/.%20./admin",
            "/v1/..%a0/admin",
            "/v1/..%c2%a0/admin",
            "/v1/.%0d./admin",
            "/v1/.%09./admin",
            "/v1/x%0a",
            "/v1/x%7f",
            "/v1/x%c2%85",
            "/v1/%ef%bc%8e%ef%bc%8e/admin",
            "/v1/%ef%bc%8e./admin",
            "/v1/..%ef%bc%8fadmin",
            "/v1/..%ef%bc%bcadmin",
            "/v1/%ef%bc%852e%ef%bc%852e/admin",
            "/v1/%ef%bc%85%ef%bc%92%ef%bd%85./admin",
            "/v1/..%ef%bc%9b/admin",
            "/v1/%e2%80%a4%e2%80%a4/admin",
            "/v1/%e2%80%a5/admin",
            "/v1/%ef%b8%b0/admin",
            "/v1/x%e2%81%84admin",
            "/v1/x%e2%88%95admin",
            "/v1/x%c2%a5admin",
            "/v1/.%e2%80%8b./admin",
            "/v1/.%c2%ad./admin",
            "/v1/.%ff./admin",
            "/v1/%c0%ae%c0%ae/admin",
            "/v1/%c0%2e%c0%2e/admin",
            "/v1/x%c0%afadmin",
            "/v1/x%c1%9cadmin",
            "/v1/%e0%80%ae%e0%80%ae/admin",
            "/v1/%f0%80%80%ae./admin",
            "/v1/%f8%80%80%80%ae./admin",
            "/v1/%25c0%25ae./admin",
            "/v1/%u002e%u002e/admin",
            "/v1/%uff0e./admin",
            "/v1/%25u002e./admin",
        ] {
            assert!(!prefix.covers(path), "{path}");
        }
        let nested = format!("/v1/%{}41", "25".repeat(30_000));
        assert!(!prefix.covers(&nested), "nested too deeply");
    }

    #[test]
    fn covers_what_only_looks_unusual() {
        let prefix = PathPrefix::new("/v1").unwrap();
        for path in [
            "/v1/a%20b",
            "/v1/.hidden",
            "/v1/a..b",
            "/v1/100%25",
            "/v1/100%2525",
            "/v1/caf%c3%a9",
            "/v1/caf%e9",
            "/v1/%e6%97%a5%e6%9c%ac",
            "/v1/%f0%9f%94%91",
            "/v1/a;b=1",
            "/v1/%ef%bc%a1",
            "/v1/%e2%80%a6",
        ] {
            assert!(prefix.covers(path), "{path}");
        }
    }

    /// Spellings of a dot that servers are known to accept.
    const DOTS: [&str; 12] = [
        ".",
        "%2e",
        "%2E",
        "%252e",
        "%c0%ae",
        "%e0%80%ae",
        "%f0%80%80%ae",
        "%ef%bc%8e",
        "%e2%80%a4",
        "%ef%b9%92",
        "%u002e",
        "%25ef%25bc%258e",
    ];
    const SLASHES: [&str; 9] =
        ["%2f", "%5c", "\\", "%252f", "%c0%af", "%e0%80%af", "%ef%bc%8f", "%ef%bc%bc", "%e2%88%95"];
    /// Characters that servers are known to ignore.
    const NOISE: [&str; 9] = ["", "%20", "%09", "%0d", "%00", "%e2%80%8b", "%ef%bb%bf", "%c2%a0", "%c2%ad"];

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_spelling_of_a_dot_segment_is_covered(
            dots in vec((select(&DOTS[..]), select(&NOISE[..])), 1..=2),
            before in select(&NOISE[..]),
            behind in select(&["", ";", ";a=b", "%3b", "%ef%bc%9b"][..]),
        ) {
            let dots: String = dots.into_iter().map(|(dot, noise)| format!("{dot}{noise}")).collect();
            let path = format!("/v1/{before}{dots}{behind}/admin");
            prop_assert!(!PathPrefix::new("/v1").unwrap().covers(&path), "{path}");
        }

        #[test]
        fn no_spelling_of_a_slash_is_covered(before in "[a-z.]{0,4}", slash in select(&SLASHES[..]), behind in "[a-z.]{0,4}") {
            let path = format!("/v1/{before}{slash}{behind}");
            prop_assert!(!PathPrefix::new("/v1").unwrap().covers(&path), "{path}");
        }

        #[test]
        fn plain_segments_are_covered(segment in "[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,20}") {
            let path = format!("/v1/{segment}");
            prop_assert!(PathPrefix::new("/v1").unwrap().covers(&path), "{path}");
        }

        #[test]
        fn anything_is_judged_without_a_panic(path in any::<String>()) {
            PathPrefix::new("/v1").unwrap().covers(&path);
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
