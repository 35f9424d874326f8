//! `Host` and `HostPattern`: hosts of grants, of requests and of name lookups, normalised as in browsers.
//!
//! One parser (the `url` crate, WHATWG's rules) parses all of them, and its result is what is resolved and dialled. So
//! `0x7f.1`, `2130706433` and `127.0.0.1` are one host, and no spelling bypasses a grant.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A normalised host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A domain name: lower case, in ASCII form, without a trailing dot.
    Name(String),
    /// An address; never a v4-mapped one.
    Ip(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl Host {
    /// Parses a host name or an IP address. An IPv6 address may be in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse::<Ipv6Addr>() {
            Ok(address) => Some(Self::Ip(IpAddr::from(address).to_canonical())),
            Err(_) => Self::from_url(&url::Host::parse(text).ok()?),
        }
    }

    /// Returns the host of a parsed URL, or `None` if it is no host name.
    pub fn from_url<N: AsRef<str>>(host: &url::Host<N>) -> Option<Self> {
        Some(match host {
            url::Host::Ipv4(address) => Self::Ip((*address).into()),
            url::Host::Ipv6(address) => Self::Ip(IpAddr::from(*address).to_canonical()),
            url::Host::Domain(name) => {
                let name = name.as_ref();
                let name = name.strip_suffix('.').unwrap_or(name);
                // URLs permit more characters. A star in a grant stands for other hosts, and a comma is a mistake for two grants.
                let is_valid = |label: &str| !label.is_empty() && label.bytes().all(is_label_byte);
                if !name.split('.').all(is_valid) {
                    return None;
                }
                Self::Name(name.to_owned())
            }
        })
    }
}

/// Returns whether a label of a host name in ASCII form may have `byte`.
fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The hosts that a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostPattern {
    /// Any host: `*`.
    Any,
    /// Any subdomain of this name, at any depth, without the name itself: `*.example.com`.
    Below(String),
    /// One host.
    Exactly(Host),
}

impl HostPattern {
    /// Parses `*`, `*.NAME`, a host name or an IP address.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::Any);
        }
        match text.strip_prefix("*.").map_or_else(|| (false, Host::parse(text)), |base| (true, Host::parse(base))) {
            (true, Some(Host::Name(base))) => Some(Self::Below(base)),
            (false, Some(host)) => Some(Self::Exactly(host)),
            _ => None,
        }
    }

    /// Returns whether the grant covers `host`.
    pub fn covers(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Below(base), Host::Name(name)) => {
                name.strip_suffix(base.as_str()).is_some_and(|labels| labels.len() > 1 && labels.ends_with('.'))
            }
            (Self::Below(_), Host::Ip(_)) => false,
            (Self::Exactly(granted), host) => granted == host,
        }
    }

    /// Returns the address that the grant names literally.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Exactly(Host::Ip(address)) => Some(*address),
            _ => None,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(name) => write!(f, "*.{name}"),
            Self::Exactly(host) => host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_host_are_one_host() {
        for (text, expected) in [
            ("DB.Internal", "db.internal"),
            ("db.internal.", "db.internal"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("127.1", "127.0.0.1"),
            ("0x7f000001", "127.0.0.1"),
            ("::1", "[::1]"),
            ("[::1]", "[::1]"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("[::ffff:10.0.0.1]", "10.0.0.1"),
        ] {
            assert_eq!(Host::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for bad in
            ["", ".", "a..b", "a b", "a/b", "a@b", "a:1", "*", "*.a", "%2a.a", "1.2.3.256", "[::1", "fe80::1%eth0"]
        {
            assert_eq!(Host::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_cover_what_they_name_and_nothing_beside_it() {
        for (pattern, covered, others) in [
            ("*", &["a.test", "10.0.0.1"][..], &[][..]),
            ("*.internal", &["db.internal", "a.b.internal"], &["internal", "dbinternal", "internal.test", "10.0.0.1"]),
            ("db.internal", &["db.internal"], &["a.db.internal", "db.internal.test", "10.0.0.1"]),
            ("10.0.0.1", &["10.0.0.1", "::ffff:10.0.0.1"], &["10.0.0.2", "db.internal"]),
        ] {
            let pattern = HostPattern::parse(pattern).unwrap();
            let covers = |host: &&str| pattern.covers(&Host::parse(host).unwrap());
            assert!(covered.iter().all(covers), "{pattern}");
            assert!(!others.iter().any(covers), "{pattern}");
        }
        for bad in ["", "*.", "**", "*a", "a.*", "*.*.a", "*.10.0.0.1", "*.[::1]"] {
            assert_eq!(HostPattern::parse(bad), None, "{bad}");
        }
    }
}
