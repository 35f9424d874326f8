//! How a value that grants something is shown to whoever looks at a runtime: without what may be a secret in it.

use crate::{NamedUrl, Setting as _};

/// What of a flag's value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// All of it.
    Whole,
    /// What stands before the first `=`: the name of a value.
    Name,
    /// Of a URL, or a pattern of URLs, the scheme, the host and the port.
    Origin,
    /// Of `[NAME=]URL`, the name, and the URL without user, password and options.
    Store,
}

impl Shown {
    /// `text`, as far as it may be shown.
    pub fn of(self, text: &str) -> String {
        match self {
            Self::Whole => text.to_owned(),
            Self::Name => text.split('=').next().unwrap_or_default().to_owned(),
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
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(Shown::Name.of("TOKEN=s3cret=x"), "TOKEN");
        assert_eq!(
            Shown::Origin.of("https://u:s3cret@hooks.example.com:8443/s3cret?x=s3cret"),
            "https://hooks.example.com:8443"
        );
        assert_eq!(Shown::Origin.of("https://*.example.com"), "https://*.example.com");
        assert_eq!(Shown::Origin.of("*"), "*");
        assert_eq!(Shown::Origin.of("s3cret"), "***");
        assert_eq!(Shown::Store.of("cache=nats://u:s3cret@host/name"), "cache: nats://host/name");
        assert_eq!(Shown::Store.of("memory:"), "default: memory:");
        assert_eq!(Shown::Store.of("s3cret"), "***");
    }
}
