//! `FlagValue`: types that a flag's text can be parsed as.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use crate::Secret;

/// A type that a flag's text can be parsed as.
pub trait FlagValue: Sized {
    /// The expected syntax, for the error of a bad value: `host:port`.
    const EXPECTED: &'static str;

    /// Parses `text`. Returns `None` instead of an error, because the value may be a secret, which no error may contain.
    fn parse(text: &str) -> Option<Self>;
}

impl FlagValue for String {
    const EXPECTED: &'static str = "text";
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
}

impl FlagValue for PathBuf {
    const EXPECTED: &'static str = "a path";
    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }
}

impl FlagValue for Secret {
    const EXPECTED: &'static str = "text";
    fn parse(text: &str) -> Option<Self> {
        Some(Secret::new(text))
    }
}

impl FlagValue for bool {
    const EXPECTED: &'static str = "true or false";
    fn parse(text: &str) -> Option<Self> {
        match text {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl FlagValue for SocketAddr {
    const EXPECTED: &'static str = "host:port, such as 127.0.0.1:8080";
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
        SocketAddr::from_str(&text).ok()
    }
}

impl FlagValue for NonZeroUsize {
    const EXPECTED: &'static str = "a whole number above 0";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A whole number, 0 included.
impl FlagValue for usize {
    const EXPECTED: &'static str = "a whole number";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A whole number, 0 included.
impl FlagValue for u64 {
    const EXPECTED: &'static str = "a whole number";
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl FlagValue for Duration {
    const EXPECTED: &'static str = "a duration, such as 500ms or 30s";
    fn parse(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok().filter(|duration| !duration.is_zero())
    }
}

/// A duration, 0 included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub Duration);

impl FlagValue for Delay {
    const EXPECTED: &'static str = "a duration, such as 0s or 5s";
    fn parse(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok().map(Self)
    }
}

/// A size in bytes, written with a unit: `64KiB`. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub usize);

impl FlagValue for Size {
    const EXPECTED: &'static str = "a size, such as 64KiB or 128MiB";
    fn parse(text: &str) -> Option<Self> {
        let size = bytesize::ByteSize::from_str(text).ok()?;
        usize::try_from(size.as_u64()).ok().filter(|size| *size > 0).map(Size)
    }
}

/// `KEY=VALUE`; the value may be empty and may itself contain `=`.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The text before the first `=`; never empty.
    pub key: String,
    /// The text after the first `=`.
    pub value: String,
}

impl std::fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}=***", self.key)
    }
}

impl FlagValue for KeyValue {
    const EXPECTED: &'static str = "KEY=VALUE";
    fn parse(text: &str) -> Option<Self> {
        let (key, value) = text.split_once('=')?;
        (!key.is_empty()).then(|| Self { key: key.to_owned(), value: value.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_need_to_be_positive() {
        assert_eq!(Size::parse("128MiB"), Some(Size(128 << 20)));
        assert_eq!(Size::parse("65536"), Some(Size(65536)));
        assert_eq!(Size::parse("0"), None);
        assert_eq!(Size::parse("-1"), None);
        assert_eq!(<Duration as FlagValue>::parse("1s"), Some(Duration::from_secs(1)));
        assert_eq!(<Duration as FlagValue>::parse("0s"), None);
        assert_eq!(<Duration as FlagValue>::parse("30"), None);
    }

    #[test]
    fn key_value_splits_at_the_first_equals_sign() {
        let parsed = KeyValue::parse("a=b=c").unwrap();
        assert_eq!((parsed.key.as_str(), parsed.value.as_str()), ("a", "b=c"));
        assert_eq!(format!("{parsed:?}"), "a=***");
        assert!(KeyValue::parse("=x").is_none());
        assert!(KeyValue::parse("x").is_none());
    }

    #[test]
    fn addresses() {
        assert_eq!(SocketAddr::parse("localhost:80"), SocketAddr::parse("127.0.0.1:80"));
        assert!(<SocketAddr as FlagValue>::parse("8080").is_none());
    }
}
