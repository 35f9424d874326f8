//! Scheme, host and port of a URL, normalised as in browsers.
//!
//! One parser (the `url` crate, WHATWG's rules) parses hosts of grants and of requests, and its result ([`Host`]) is what is
//! sent and dialled.

use std::fmt;
use std::net::Ipv4Addr;

use http::Uri;
use tempo_settings::Host;
use url::Url;

use super::error::Denied;
use crate::component_host::component_of;

/// The scheme of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// Returns the scheme as written in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Returns the default port.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| scheme.as_str().eq_ignore_ascii_case(text))
    }
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Host,
    pub(super) port: u16,
}

impl Origin {
    /// Returns the origin of an absolute URI.
    pub(super) fn of(uri: &Uri) -> Result<Self, Denied> {
        let scheme = uri.scheme_str().ok_or(Denied::Url("it has no scheme"))?;
        let scheme = Scheme::parse(scheme).ok_or(Denied::Scheme)?;
        let authority = uri.authority().ok_or(Denied::Url("it has no host"))?;
        Self::parse(scheme, authority.as_str())
    }

    /// Parses `host` or `host:port`.
    pub(super) fn parse(scheme: Scheme, authority: &str) -> Result<Self, Denied> {
        if authority.contains('@') {
            return Err(Denied::Url("it has a user name or a password"));
        }
        // A backslash would start the path, and the parser drops blanks: the check must cover the whole authority.
        if authority.contains(|c: char| matches!(c, '/' | '\\' | '?' | '#') || c.is_whitespace() || c.is_control()) {
            return Err(Denied::Url("its host is not valid"));
        }
        if let Some((host, port)) = plain(authority) {
            return Ok(Self { scheme, host, port: port.unwrap_or_else(|| scheme.default_port()) });
        }
        let invalid = Denied::Url("its host or port is not valid");
        let Ok(url) = Url::parse(&format!("{}://{authority}/", scheme.as_str())) else { return Err(invalid) };
        let host = url.host().as_ref().and_then(Host::from_url);
        match (host, url.port_or_known_default()) {
            (Some(host), Some(port)) => Ok(Self { scheme, host, port }),
            _ => Err(invalid),
        }
    }

    /// Returns the name of the component of an app that the host stands for.
    pub(super) fn component(&self) -> Option<&str> {
        match &self.host {
            Host::Name(name) => component_of(name),
            Host::Ip(_) => None,
        }
    }

    /// Returns the host, with the port unless it is the scheme's default, as in a `Host` header.
    pub(super) fn authority(&self) -> String {
        let mut authority = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ip(_) => self.host.to_string(),
        };
        if self.port != self.scheme.default_port() {
            authority.push(':');
            authority.push_str(&self.port.to_string());
        }
        authority
    }
}

/// Returns the host and the port of an authority that the parser of URLs takes as it is: four decimal numbers, or a name of
/// lower-case ASCII labels that is neither another form of an address nor internationalized. The parser needs a tenth of the time
/// of a request in memory.
fn plain(authority: &str) -> Option<(Host, Option<u16>)> {
    let (name, port) = match authority.split_once(':') {
        None => (authority, None),
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            (name, Some(port.parse().ok()?))
        }
        Some(_) => return None,
    };
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return Some((Host::Ip(address.into()), port));
    }
    let is_plain = |label: &str| {
        let bytes = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(bytes) && !label.starts_with("xn--")
    };
    // The last label of an address begins with a digit.
    let last = name.rsplit('.').next().and_then(|label| label.bytes().next())?;
    let all_plain = last.is_ascii_lowercase() && name.len() <= 253 && name.split('.').all(is_plain);
    all_plain.then(|| (Host::Name(name.to_owned()), port))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_authorities_are_those_of_urls(authority in "(([a-z0-9x-]{1,4}[.]){0,2}[a-z0-9-]{1,6}|([0-9]{1,3}[.]){1,4}[0-9]{1,3})(:[0-9]{0,6})?") {
            if let Some((host, port)) = plain(&authority) {
                let url = Url::parse(&format!("http://{authority}/")).unwrap();
                prop_assert_eq!(url.host().as_ref().and_then(Host::from_url), Some(host));
                prop_assert_eq!(url.port_or_known_default(), Some(port.unwrap_or(80)));
            }
        }
    }

    #[test]
    fn most_names_are_plain() {
        for authority in ["localhost", "localhost:8080", "a-b.example.com", "api.tempo.internal:80", "127.0.0.1:80"] {
            assert!(plain(authority).is_some(), "{authority}");
        }
        for authority in [
            "127.0.0.01",
            "127.1",
            "1.2.3.256",
            "1",
            "0x7f",
            "a.0x1",
            "A",
            "xn--a",
            "a.",
            ".a",
            "a:",
            "[::1]",
            "\u{fc}",
            "a_b",
            "a:65536",
        ] {
            assert!(plain(authority).is_none(), "{authority}");
        }
    }

    #[test]
    fn spellings_of_one_host_are_one_host() {
        let table = [
            ("http://EXAMPLE.com", "http://example.com"),
            ("http://example.com.", "http://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("https://example.com:443", "https://example.com"),
            ("https://example.com:80", "https://example.com:80"),
            ("http://127.0.0.1", "http://127.0.0.1"),
            ("http://127.1", "http://127.0.0.1"),
            ("http://127.0.0.1.", "http://127.0.0.1"),
            ("http://2130706433", "http://127.0.0.1"),
            ("http://0x7f000001", "http://127.0.0.1"),
            ("http://0x7f.0.0.0x1", "http://127.0.0.1"),
            ("http://0177.0.0.01", "http://127.0.0.1"),
            ("http://[::ffff:127.0.0.1]", "http://127.0.0.1"),
            ("http://[::FFFF:7f00:1]:81", "http://127.0.0.1:81"),
            ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ];
        for (given, expected) in table {
            let origin = Origin::of(&given.parse().unwrap()).unwrap();
            assert_eq!(origin.to_string(), expected, "{given}");
        }
        let idna = Origin::parse(Scheme::Https, "B\u{fc}cher.Example").unwrap();
        assert_eq!(idna.authority(), "xn--bcher-kva.example");
        let wide = Origin::parse(Scheme::Http, "\u{ff11}27.0.0.1").unwrap();
        assert_eq!(wide.authority(), "127.0.0.1");
    }

    #[test]
    fn what_cannot_be_a_request_is_refused() {
        for given in ["http://user@example.com", "http://user:secret@example.com", "http://@example.com"] {
            let Ok(uri) = given.parse() else { continue };
            assert_eq!(Origin::of(&uri), Err(Denied::Url("it has a user name or a password")), "{given}");
        }
        assert_eq!(Origin::of(&"ftp://example.com/".parse().unwrap()), Err(Denied::Scheme));
        assert_eq!(Origin::of(&"/path".parse().unwrap()), Err(Denied::Url("it has no scheme")));
        for authority in [
            "",
            ".",
            "a..b",
            "example.com..",
            "1.2.3.256",
            "0x1ffffffff",
            "a b",
            "a\\b",
            "a/b",
            "a:x",
            "a,b",
            "a;b",
            "a!b",
            "a:70000",
            "*",
            "*.example.com",
            "%2a.example.com",
            "\u{ff0a}",
            "[::1",
            "[fe80::1%25eth0]",
        ] {
            assert!(Origin::parse(Scheme::Http, authority).is_err(), "{authority}");
        }
    }
}
