//! `Disclosure`: removes possible secrets from the values of grants before they are displayed.

use crate::{FlagValue as _, NamedUrl};

/// The part of a flag's value that may be displayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Disclosure {
    /// The whole value.
    Whole,
    /// The text before the first `=`: the name of a value.
    Name,
    /// The scheme, host and port of a URL or URL pattern. `/***` stands for a path.
    Origin,
    /// The name of `[NAME=]URL`, and the URL without user info and options.
    Store,
}

impl Disclosure {
    /// Returns the part of `text` that may be displayed.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Whole => text.to_owned(),
            Self::Name => text.split_once('=').map_or_else(|| "***".to_owned(), |(name, _)| name.to_owned()),
            Self::Origin => origin(text),
            Self::Store => {
                NamedUrl::parse(text).map_or_else(|| "***".to_owned(), |named| format!("{}: {}", named.name, named.url))
            }
        }
    }
}

fn origin(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text == "*" { text.to_owned() } else { "***".to_owned() };
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let narrowed = authority.len() < rest.trim_end_matches('/').len();
    format!("{scheme}://{host}{}", if narrowed { "/***" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_displayed() {
        assert_eq!(Disclosure::Name.apply("TOKEN=s3cret=x"), "TOKEN");
        assert_eq!(Disclosure::Name.apply("TOKEN s3cret"), "***");
        assert_eq!(
            Disclosure::Origin.apply("https://u:s3cret@hooks.example.com:8443/s3cret?x=s3cret"),
            "https://hooks.example.com:8443/***"
        );
        assert_eq!(Disclosure::Origin.apply("https://a.example.com/"), "https://a.example.com");
        assert_eq!(Disclosure::Origin.apply("https://*.example.com"), "https://*.example.com");
        assert_eq!(Disclosure::Origin.apply("*"), "*");
        assert_eq!(Disclosure::Origin.apply("s3cret"), "***");
        assert_eq!(Disclosure::Store.apply("cache=nats://u:s3cret@host/name"), "cache: nats://host/name");
        assert_eq!(Disclosure::Store.apply("memory:"), "default: memory:");
        assert_eq!(Disclosure::Store.apply("s3cret"), "***");
    }
}
