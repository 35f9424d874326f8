//! `SocketGrants`: what the flags grant a component, and the log lines of denials.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;

use tempo_core::{ReportOnce, Resolver};
use tempo_settings::{AddressKind, AddressRange, Disclosure, Error, Flag, Host, Settings};

use super::grant::SocketGrant;

const SOCKET: Flag = Flag::new(
    "allow-socket",
    "HOST[:PORT]",
    "A name (db.internal, *.internal) or address the guest may connect to with TCP or UDP",
)
.repeatable()
.of::<SocketGrant>()
.grants(Disclosure::Whole);

const SOCKET_ADDRESS: Flag = Flag::new(
    "allow-socket-address",
    "CIDR",
    "Private addresses that allowed names may resolve to, such as 10.0.0.0/8",
)
.repeatable()
.of::<AddressRange>()
.grants(Disclosure::Whole);

const LISTEN: Flag = Flag::new(
    "allow-listen",
    "ADDR:PORT",
    "An address the guest may bind and accept on, TCP and UDP; port 0 is any port",
)
.repeatable()
.of::<SocketAddr>()
.grants(Disclosure::Whole);

/// The flags of sockets.
pub(crate) const FLAGS: &[Flag] = &[SOCKET, SOCKET_ADDRESS, LISTEN];

/// Maximum concurrent look-ups of a component. Each takes a thread of the blocking pool.
const MAX_LOOKUPS: usize = 64;

/// The sockets that a component may use.
#[derive(Debug)]
pub(crate) struct SocketGrants {
    connect: Vec<SocketGrant>,
    ranges: Vec<AddressRange>,
    listen: Vec<SocketAddr>,
    pub(super) resolver: Resolver,
    reported: ReportOnce,
    /// The name of the component, for the log.
    component: Option<Arc<str>>,
}

/// Ports that a name is granted with; `None` is all.
pub(super) type Ports = Vec<Option<NonZeroU16>>;

/// Why an address cannot be connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// No grant covers it.
    Ungranted,
    /// It needs a grant of its own.
    Kind(AddressKind),
}

impl SocketGrants {
    /// Parses the grants.
    ///
    /// # Errors
    ///
    /// A value cannot be parsed.
    pub(crate) fn from_settings(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            connect: settings.all(&SOCKET)?,
            ranges: settings.all(&SOCKET_ADDRESS)?,
            listen: settings.all(&LISTEN)?,
            resolver: Resolver::new(MAX_LOOKUPS),
            reported: ReportOnce::default(),
            component: None,
        })
    }

    /// Names the component in the log.
    pub(crate) fn of_component(self, component: Option<Arc<str>>) -> Self {
        Self { component, ..self }
    }

    /// Returns whether nothing is granted.
    pub(super) fn is_empty(&self) -> bool {
        self.connect.is_empty() && self.listen.is_empty()
    }

    /// Returns the ports that the guest may connect to at addresses of `host`; none if the host is not granted.
    pub(super) fn ports(&self, host: &Host) -> Ports {
        self.connect.iter().filter_map(|grant| grant.port_at(host)).collect()
    }

    /// Returns whether the guest may connect to `host`, on any port.
    pub(crate) fn covers(&self, host: &Host) -> bool {
        !self.ports(host).is_empty()
    }

    /// Judges an address that a granted name resolved to.
    pub(super) fn permit_resolved(&self, address: IpAddr) -> Result<(), Denied> {
        AddressRange::permit(&self.ranges, address).map_err(Denied::Kind)
    }

    /// Returns whether a grant names `address` literally, with any port.
    pub(super) fn names(&self, address: IpAddr) -> bool {
        self.connect.iter().any(|grant| grant.names(address))
    }

    /// Judges a connection to an address that the guest has not resolved.
    pub(super) fn permit(&self, address: SocketAddr) -> Result<(), Denied> {
        let mut covering = self.connect.iter().filter(|grant| grant.covers_port(address));
        if covering.clone().any(|grant| grant.names(address.ip())) {
            return Ok(());
        }
        match covering.any(SocketGrant::is_any_host) {
            true => self.permit_resolved(address.ip()),
            false => Err(Denied::Ungranted),
        }
    }

    /// Returns whether the guest may listen on `address`. A granted unspecified address covers all of its family, and a granted
    /// port 0 all ports.
    pub(super) fn listens(&self, address: SocketAddr) -> bool {
        self.listen.iter().any(|granted| {
            let all = granted.ip().is_unspecified() && granted.is_ipv4() == address.is_ipv4();
            (all || granted.ip() == address.ip()) && (granted.port() == 0 || granted.port() == address.port())
        })
    }

    /// Returns whether binding to `address` is part of connecting, which does so implicitly.
    pub(super) fn binds_implicitly(&self, address: SocketAddr) -> bool {
        !self.connect.is_empty() && address.ip().is_unspecified() && address.port() == 0
    }

    /// Logs that the guest cannot create sockets.
    pub(crate) fn report_socket(&self) {
        self.report(
            "a socket",
            format_args!("to allow it, add `--allow-socket HOST:PORT` or `--allow-listen ADDR:PORT`"),
        );
    }

    /// Logs the denied look-up of `host`.
    pub(super) fn report_lookup(&self, host: &Host) {
        self.report(
            &format!("the look-up of {host}"),
            format_args!("to allow it and connections to it, add `--allow-socket {host}:PORT`"),
        );
    }

    /// Logs the denied address of the granted name `host`.
    pub(super) fn report_resolved(&self, host: &Host, address: IpAddr, kind: AddressKind) {
        let hint = AddressRange::of_one(address);
        self.report(
            &format!("the look-up of {host}"),
            format_args!("its address {address} is {kind}; to allow it, add `--allow-socket-address {hint}`"),
        );
    }

    /// Logs a denied connection or datagram to `address`.
    pub(super) fn report_connect(&self, address: SocketAddr, denied: Denied) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let why = match denied {
            Denied::Ungranted => String::new(),
            Denied::Kind(kind) => format!("the address is {kind}; "),
        };
        self.report(
            &format!("a connection to {address}"),
            format_args!("{why}to allow it, add `--allow-socket {address}`"),
        );
    }

    /// Logs a denied TLS handshake with `host`.
    pub(crate) fn report_tls(&self, host: &Host) {
        self.report(
            &format!("a TLS connection to {host}"),
            format_args!("to allow it, add `--allow-socket {host}:PORT`"),
        );
    }

    /// Logs that the certificate of `host` was not accepted.
    pub(crate) fn report_certificate(&self, host: &Host, reason: &dyn fmt::Debug) {
        if self.reported.is_first(&format!("the certificate of {host}")) {
            tracing::warn!(
                component = self.component.as_deref(),
                "the certificate of {host} was not accepted: {reason:?}; a private authority is trusted with `--socket-ca FILE`"
            );
        }
    }

    /// Logs a denied bind to `address`.
    pub(super) fn report_listen(&self, address: SocketAddr) {
        self.report(&format!("binding to {address}"), format_args!("to allow it, add `--allow-listen {address}`"));
    }

    fn report(&self, what: &str, hint: fmt::Arguments<'_>) {
        if self.reported.is_first(what) {
            tracing::warn!(component = self.component.as_deref(), "denied {what}: {hint}");
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use tempo_settings::{FlagValue as _, Value, ValueSource};

    pub(in crate::sockets) fn grants(connect: &[&str], ranges: &[&str], listen: &[&str]) -> SocketGrants {
        let mut settings = Settings::default();
        for (flag, values) in [(&SOCKET, connect), (&SOCKET_ADDRESS, ranges), (&LISTEN, listen)] {
            let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
            settings.set(flag, values.iter().map(value).collect());
        }
        SocketGrants::from_settings(&settings).unwrap()
    }

    fn to(text: &str) -> SocketAddr {
        SocketAddr::parse(text).unwrap()
    }

    #[test]
    fn literal_grants_cover_one_address_on_their_port() {
        let grants = grants(&["10.0.0.1:5432", "169.254.169.254", "db.internal:80"], &["10.0.0.0/8"], &[]);
        for granted in ["10.0.0.1:5432", "[::ffff:10.0.0.1]:5432", "169.254.169.254:80"] {
            assert_eq!(grants.permit(to(granted)), Ok(()), "{granted}");
        }
        for other in ["10.0.0.1:5433", "10.0.0.2:5432", "10.0.0.3:80", "8.8.8.8:80"] {
            assert_eq!(grants.permit(to(other)), Err(Denied::Ungranted), "{other}");
        }
    }

    #[test]
    fn a_star_grants_public_addresses_and_granted_ranges() {
        let grants = grants(&["*:443", "127.0.0.1:443"], &["10.0.0.0/8"], &[]);
        for granted in ["8.8.8.8:443", "10.1.2.3:443", "127.0.0.1:443"] {
            assert_eq!(grants.permit(to(granted)), Ok(()), "{granted}");
        }
        assert_eq!(grants.permit(to("8.8.8.8:80")), Err(Denied::Ungranted));
        assert_eq!(grants.permit(to("127.0.0.2:443")), Err(Denied::Kind(AddressKind::Loopback)));
        assert_eq!(grants.permit(to("169.254.169.254:443")), Err(Denied::Kind(AddressKind::Metadata)));
    }

    #[test]
    fn listening_needs_a_grant_of_its_own() {
        let grants = grants(&["*"], &[], &["127.0.0.1:0", "[::1]:80", "0.0.0.0:5353"]);
        for granted in ["127.0.0.1:0", "127.0.0.1:9", "[::1]:80", "0.0.0.0:5353", "10.0.0.1:5353"] {
            assert!(grants.listens(to(granted)), "{granted}");
        }
        for other in ["127.0.0.2:1", "[::1]:81", "[::1]:0", "0.0.0.0:0", "[::]:5353"] {
            assert!(!grants.listens(to(other)), "{other}");
        }
        assert!(grants.binds_implicitly(to("0.0.0.0:0")) && !grants.binds_implicitly(to("0.0.0.0:80")));
    }
}
