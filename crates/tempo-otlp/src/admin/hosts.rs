//! Checks the `Host` of requests against DNS rebinding: a web page whose domain resolves to this server could make a
//! browser read its pages.

use std::net::IpAddr;
use std::str::FromStr as _;

use http::uri::Authority;
use http::{Request, header};
use tempo_settings::{Flag, FlagValue};

/// Host names of [`Admin`](crate::Admin).
pub const ADMIN_HOST: Flag = Flag::new(
    "admin-host",
    "NAME",
    "Answer on --admin to this host name in addition to localhost and addresses; * for any",
)
.repeatable()
.of_process();
/// Host names of the pages of `--dashboard`.
pub const DASHBOARD_HOST: Flag = Flag::new(
    "dashboard-host",
    "NAME",
    "Answer on --dashboard to this host name in addition to localhost and addresses; * for any",
)
.repeatable()
.of_process();

/// An accepted host name, or `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

impl FlagValue for HostName {
    const EXPECTED: &'static str = "a host name without a port, such as app.example.com, or *";

    fn parse(text: &str) -> Option<Self> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let valid = text == "*" || (!text.is_empty() && text.bytes().all(named));
        valid.then(|| Self(text.trim_end_matches('.').to_ascii_lowercase()))
    }
}

/// Host names accepted in addition to `localhost` and addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hosts(Vec<HostName>);

impl Hosts {
    pub(crate) fn new(names: &[HostName]) -> Self {
        Self(names.to_vec())
    }

    /// Returns whether all hosts that the request names are accepted.
    pub(crate) fn allows<B>(&self, request: &Request<B>) -> bool {
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let named = hosts.all(|host| host.to_str().is_ok_and(|host| self.has(host)));
        named && request.uri().authority().is_none_or(|authority| self.has(authority.as_str()))
    }

    fn has(&self, authority: &str) -> bool {
        let Ok(authority) = Authority::from_str(authority) else { return false };
        let host = authority.host().trim_end_matches('.').to_ascii_lowercase();
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&host);
        host == "localhost"
            || host.ends_with(".localhost")
            || IpAddr::from_str(address).is_ok()
            || self.0.iter().any(|HostName(name)| *name == host || name == "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_and_addresses_are_accepted() {
        let hosts = Hosts::default();
        for host in ["localhost", "LocalHost:9090", "app.localhost:1", "127.0.0.1:9090", "[::1]:9090", "192.0.2.7"] {
            assert!(hosts.has(host), "{host}");
        }
        for host in ["", "example.com", "localhost.example.com", "127.0.0.1.example.com:80", "notlocalhost", "[::1"] {
            assert!(!hosts.has(host), "{host}");
        }
    }

    #[test]
    fn names_that_were_given_are_answered_to() {
        let name = |text| HostName::parse(text).unwrap();
        let hosts = Hosts::new(&[name("App.example.com."), name("metrics")]);
        for host in ["app.example.com", "APP.example.com.:9090", "metrics:9090", "localhost"] {
            assert!(hosts.has(host), "{host}");
        }
        for host in ["example.com", "x.app.example.com", "metrics.example.com"] {
            assert!(!hosts.has(host), "{host}");
        }
        assert!(Hosts::new(&[name("*")]).has("example.com"));
        for bad in ["", "app:9090", "http://app", "a b", "*.example.com", "\u{e4}"] {
            assert_eq!(HostName::parse(bad), None, "{bad}");
        }
    }
}
