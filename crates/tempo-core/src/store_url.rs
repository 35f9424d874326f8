//! `[NAME=]URL`: which backend stands behind a name that a component opens.

use std::fmt;
use std::path::PathBuf;

use crate::Setting;

/// The name of the store that a URL without a name stands for.
pub const DEFAULT_STORE: &str = "default";

/// The URL of a backend: `memory:`, `file:./data`, `nats://host:4222/name`. It may hold a secret, and prints without it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreUrl {
    scheme: String,
    rest: String,
}

impl StoreUrl {
    /// The scheme, in lower case: `nats`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What follows the scheme's colon, as it was written. It may hold a secret.
    pub fn reveal(&self) -> &str {
        &self.rest
    }

    /// The path of a `file:` URL: `file:./data`, `file:/data` or `file:///data`. `None` if there is none, or if it is
    /// on another host.
    pub fn path(&self) -> Option<PathBuf> {
        let path = self.rest.strip_prefix("//").unwrap_or(&self.rest);
        let local = path == self.rest || path.starts_with('/');
        (local && !path.is_empty()).then(|| path.into())
    }
}

impl Setting for StoreUrl {
    const EXPECTED: &'static str = "a URL, such as memory:, file:PATH or nats://HOST/NAME";

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let letter = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
        let valid = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.chars().all(letter);
        valid.then(|| Self { scheme: scheme.to_ascii_lowercase(), rest: rest.to_owned() })
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(after) = self.rest.strip_prefix("//").filter(|_| self.scheme != "file") else {
            return write!(f, "{}:{}", self.scheme, self.rest);
        };
        // What stands before an @ is who logs in with what, and options after a question mark may be keys. An @ further
        // on may be either's, so that nothing can be shown.
        let (authority, rest) =
            after.split_at_checked(after.find(['/', '?', '#']).unwrap_or(after.len())).unwrap_or(("", ""));
        if rest.contains('@') {
            return write!(f, "{}://***", self.scheme);
        }
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{}://{host}{path}", self.scheme)
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A store's name, as a component opens it, and its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedUrl {
    /// What the component opens; never empty.
    pub name: String,
    /// What stands behind it.
    pub url: StoreUrl,
}

impl Setting for NamedUrl {
    const EXPECTED: &'static str = "[NAME=]URL, such as file:./data or cache=nats://HOST/NAME";

    fn parse(text: &str) -> Option<Self> {
        // A name has no colon, and a URL has one before any equals sign of its own.
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains(':') => (name, url),
            _ => (DEFAULT_STORE, text),
        };
        let url = StoreUrl::parse(url)?;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        StoreUrl::parse(text).unwrap().to_string()
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(shown("nats://user:p@ss@host:4222/name"), "nats://host:4222/name");
        assert_eq!(shown("s3://bucket/prefix?secret_access_key=hunter2"), "s3://bucket/prefix");
        assert_eq!(shown("nats://token@host"), "nats://host");
        assert_eq!(shown("nats://user:pa/s?s@host/name"), "nats://***");
        assert_eq!(shown("s3://bucket?secret=a@b"), "s3://***");
        assert_eq!(shown("file:///a@b"), "file:///a@b");
        assert_eq!(shown("file:./a?b@c"), "file:./a?b@c");
        assert_eq!(shown("MEMORY:"), "memory:");
        assert_eq!(format!("{:?}", StoreUrl::parse("nats://u:p@h/x").unwrap()), "nats://h/x");
    }

    #[test]
    fn paths() {
        let path = |text| StoreUrl::parse(text).unwrap().path();
        assert_eq!(path("file:./data"), Some("./data".into()));
        assert_eq!(path("file:/data"), Some("/data".into()));
        assert_eq!(path("file:///data"), Some("/data".into()));
        assert_eq!(path("file://host/data"), None);
        assert_eq!(path("file:"), None);
    }

    #[test]
    fn a_name_stands_before_the_url() {
        let named = |text| NamedUrl::parse(text).map(|named| (named.name, named.url.to_string()));
        let expect = |name: &str, url: &str| Some((name.to_owned(), url.to_owned()));
        assert_eq!(named("memory:"), expect("default", "memory:"));
        assert_eq!(named("cache=memory:"), expect("cache", "memory:"));
        assert_eq!(named("a=file:/x=y"), expect("a", "file:/x=y"));
        assert_eq!(named("file:/x=y"), expect("default", "file:/x=y"));
        for bad in ["", "=memory:", "cache=", "no-colon", "1x:", "a=b"] {
            assert_eq!(named(bad), None, "{bad}");
        }
    }
}
