//! One value of `--allow-socket`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;

use tempo_settings::{FlagValue, Host, HostPattern};

/// The hosts that a guest may connect to, on one port or all.
#[derive(Debug, PartialEq)]
pub(super) struct SocketGrant {
    hosts: HostPattern,
    port: Option<NonZeroU16>,
}

impl FlagValue for SocketGrant {
    const EXPECTED: &'static str = "HOST or HOST:PORT, where HOST is a name such as db.internal, *.internal, an IP address, or * for any public host";

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // An IPv6 address without brackets has no port.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        HostPattern::parse(host).map(|hosts| Self { hosts, port })
    }
}

impl SocketGrant {
    /// Returns the granted port, `None` for all, if the grant covers `host`.
    pub(super) fn port_at(&self, host: &Host) -> Option<Option<NonZeroU16>> {
        self.hosts.covers(host).then_some(self.port)
    }

    /// Returns whether the grant names `address` literally.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        self.hosts.address() == Some(address.to_canonical())
    }

    /// Returns whether the grant covers the port of `address`.
    pub(super) fn covers_port(&self, address: SocketAddr) -> bool {
        covers_port(self.port, address)
    }

    /// Returns whether the grant covers any host.
    pub(super) fn is_any_host(&self) -> bool {
        self.hosts == HostPattern::Any
    }
}

/// Returns whether a granted port, `None` for all, covers the port of `address`.
pub(super) fn covers_port(granted: Option<NonZeroU16>, address: SocketAddr) -> bool {
    granted.is_none_or(|port| port.get() == address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_name_hosts_and_ports() {
        let host = |text: &str| Host::parse(text).unwrap();
        for (text, covered, port) in [
            ("db.internal:5432", "db.internal", Some(5432)),
            ("DB.Internal", "db.internal", None),
            ("*.internal:1", "a.b.internal", Some(1)),
            ("*:443", "example.com", Some(443)),
            ("*", "10.0.0.1", None),
            ("10.0.0.1:80", "::ffff:10.0.0.1", Some(80)),
            ("::1", "::1", None),
            ("[::1]", "::1", None),
            ("[::1]:80", "::1", Some(80)),
        ] {
            let grant = SocketGrant::parse(text).unwrap();
            assert_eq!(grant.port_at(&host(covered)), Some(port.and_then(NonZeroU16::new)), "{text}");
        }
        assert_eq!(SocketGrant::parse("db.internal:5432").unwrap().port_at(&host("a.db.internal")), None);
        for bad in
            ["", ":80", "a:", "a:0", "a:65536", "a:b", "*.10.0.0.1", "a*", "a b", "[::1", "tcp://a:1", "10.0.0.0/8"]
        {
            assert_eq!(SocketGrant::parse(bad), None, "{bad}");
        }
    }
}
