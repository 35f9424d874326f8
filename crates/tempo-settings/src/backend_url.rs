//! `[NAME=]URL`: the URL of a backend, and the name that a component opens it by.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, FlagValue, Size};

/// The name of a URL without a name.
pub const DEFAULT_NAME: &str = "default";

/// The URL of a backend: `memory:`, `file:./data`, `nats://host:4222/name`. It may contain a secret, which it never prints.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackendUrl {
    scheme: String,
    rest: String,
}

impl BackendUrl {
    /// Returns the scheme, in lower case: `nats`.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the text after the scheme's colon, unchanged. It may contain a secret.
    pub fn reveal(&self) -> &str {
        &self.rest
    }

    /// Returns the `file:` URL of `path`, with question marks escaped as `%3F`.
    ///
    /// # Errors
    ///
    /// The path is empty, is not UTF-8, or contains `%3F`, which would become a question mark.
    pub fn of_file(path: &Path) -> Result<Self, Error> {
        let bad = |problem: &str| Error::new(ErrorKind::BadConfiguration, problem);
        let text = path.to_str().ok_or_else(|| bad("a path is not UTF-8"))?;
        if text.is_empty() {
            return Err(bad("a path is empty"));
        }
        if text.contains("%3F") || text.contains("%3f") {
            return Err(bad("a path contains %3F, which is the question mark of a URL"));
        }
        // Two slashes would begin with the name of a host.
        let host = if text.starts_with("//") { "//" } else { "" };
        Ok(Self { scheme: "file".to_owned(), rest: format!("{host}{}", text.replace('?', "%3F")) })
    }

    /// Returns the path of a `file:` URL, without options: `file:./data`, `file:/data` or `file:///data`. `%3F` is unescaped
    /// to a question mark. `None` if the URL has no path or names a host.
    pub fn path(&self) -> Option<PathBuf> {
        let (all, _) = self.split_options();
        let path = all.strip_prefix("//").unwrap_or(all);
        let local = path == all || path.starts_with('/');
        (local && !path.is_empty()).then(|| path.replace("%3F", "?").replace("%3f", "?").into())
    }

    /// Returns the quota of a `file:` URL, in bytes: `file:./data?quota=10GiB`. `None` if it has none.
    ///
    /// # Errors
    ///
    /// The URL has an unknown option, a repeated option, or a quota that is not a size.
    pub fn quota(&self) -> Result<Option<u64>, Error> {
        let bad = |problem: String| Error::new(ErrorKind::BadConfiguration, format!("{self}: {problem}"));
        let (_, options) = self.split_options();
        let mut quota = None;
        for option in options.into_iter().flat_map(|options| options.split('&')) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            if key != "quota" {
                return Err(bad(format!(
                    "unknown option `{key}`; a file: URL has quota=SIZE, and a question mark in a path is written %3F"
                )));
            }
            let Size(size) =
                Size::parse(value).ok_or_else(|| bad(format!("quota: expected {}", <Size as FlagValue>::EXPECTED)))?;
            if quota.replace(size as u64).is_some() {
                return Err(bad("quota is given twice".to_owned()));
            }
        }
        Ok(quota)
    }

    /// Splits at the first question mark.
    fn split_options(&self) -> (&str, Option<&str>) {
        self.rest.split_once('?').map_or((&self.rest, None), |(path, options)| (path, Some(options)))
    }
}

impl FlagValue for BackendUrl {
    const EXPECTED: &'static str = "a URL, such as memory:, file:PATH or nats://HOST/NAME";

    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let letter = |character: char| character.is_ascii_alphanumeric() || "+-.".contains(character);
        let valid = scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.chars().all(letter);
        valid.then(|| Self { scheme: scheme.to_ascii_lowercase(), rest: rest.to_owned() })
    }
}

impl fmt::Display for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme == "file" {
            return write!(f, "file:{}", self.rest);
        }
        // A user may forget the slashes.
        let (slashes, after) = self.rest.strip_prefix("//").map_or(("", &*self.rest), |after| ("//", after));
        // The user info before an @ and the options after a question mark may be secrets. An @ after the authority makes the
        // URL ambiguous, so all of it is hidden.
        let (authority, rest) =
            after.split_at_checked(after.find(['/', '?', '#']).unwrap_or(after.len())).unwrap_or(("", ""));
        if rest.contains('@') {
            return write!(f, "{}:{slashes}***", self.scheme);
        }
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        write!(f, "{}:{slashes}{host}{path}", self.scheme)
    }
}

impl fmt::Debug for BackendUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name that a component opens a backend by, and the backend's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamedUrl {
    /// The name; never empty.
    pub name: String,
    /// The URL of the backend.
    pub url: BackendUrl,
}

impl NamedUrl {
    /// Creates the URL of `name`, which is not empty.
    pub fn new(name: impl Into<String>, url: BackendUrl) -> Self {
        Self { name: name.into(), url }
    }
}

impl FlagValue for NamedUrl {
    const EXPECTED: &'static str = "[NAME=]URL, such as file:./data or cache=nats://HOST/NAME";

    fn parse(text: &str) -> Option<Self> {
        // A name has no colon, and a URL has one before any equals sign of its own.
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains(':') => (name, url),
            _ => (DEFAULT_NAME, text),
        };
        let url = BackendUrl::parse(url)?;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        BackendUrl::parse(text).unwrap().to_string()
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
        // Without the slashes, which a user may forget.
        assert_eq!(shown("nats:user:p@ss@host:4222/name"), "nats:host:4222/name");
        assert_eq!(shown("s3:bucket?secret_access_key=hunter2"), "s3:bucket");
        assert_eq!(shown("nats:/user:pass@host/name"), "nats:***");
        assert_eq!(format!("{:?}", BackendUrl::parse("nats://u:p@h/x").unwrap()), "nats://h/x");
    }

    #[test]
    fn paths() {
        let path = |text| BackendUrl::parse(text).unwrap().path();
        assert_eq!(path("file:./data"), Some("./data".into()));
        assert_eq!(path("file:/data"), Some("/data".into()));
        assert_eq!(path("file:///data"), Some("/data".into()));
        assert_eq!(path("file://host/data"), None);
        assert_eq!(path("file:"), None);
        assert_eq!(path("file:?quota=1"), None);
        assert_eq!(path("file:/data?quota=1KiB"), Some("/data".into()));
        assert_eq!(path("file:/what%3F%3f%41"), Some("/what??%41".into()));
        let url = BackendUrl::of_file(Path::new("./a?b")).unwrap();
        assert_eq!((url.path(), url.quota()), (Some("./a?b".into()), Ok(None)));
        let url = BackendUrl::of_file(Path::new("//data/x")).unwrap();
        assert_eq!(url.path(), Some("//data/x".into()));
        for unusable in ["", "a%3Fb", "a%3f"] {
            assert!(BackendUrl::of_file(Path::new(unusable)).is_err(), "{unusable}");
        }
    }

    #[test]
    fn a_file_url_has_no_option_but_a_quota() {
        let quota = |text| BackendUrl::parse(text).unwrap().quota().map_err(|error| error.to_string());
        assert_eq!(quota("file:./a"), Ok(None));
        assert_eq!(quota("file:./a?quota=1"), Ok(Some(1)));
        assert_eq!(quota("file:./a?quota=10GiB"), Ok(Some(10 << 30)));
        for (bad, why) in [
            ("file:./a?", "unknown option ``"),
            ("file:./a?size=1", "unknown option `size`"),
            ("file:./a?quota=1&max=2", "unknown option `max`"),
            ("file:./a?Quota=1", "unknown option `Quota`"),
            ("file:./a?quota=1&quota=1", "given twice"),
            ("file:./a?quota", "expected a size"),
            ("file:./a?quota=0", "expected a size"),
            ("file:./a?quota=lots", "expected a size"),
        ] {
            let error = quota(bad).unwrap_err();
            assert!(error.starts_with(bad) && error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_name_precedes_the_url() {
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
