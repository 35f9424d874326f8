//! `Policy`: the grants, and the checks of URLs and addresses.

use std::net::IpAddr;
use std::sync::Arc;

use http::Uri;
use tempo_core::ReportOnce;
use tempo_settings::{AddressRange, FlagValue as _, Host};

use super::error::{Denied, GrantError};
use super::grant::Grant;
use super::origin::{Origin, Scheme};

/// The egress policy. Clones share it.
///
/// The default allows nothing.
#[derive(Debug, Clone, Default)]
pub struct Policy(Arc<Rules>);

#[derive(Debug, Default)]
struct Rules {
    grants: Vec<Grant>,
    ranges: Vec<AddressRange>,
    reported: ReportOnce,
    /// The name of the component, for the log.
    component: Option<String>,
}

impl Policy {
    /// Parses the values of `--allow-http` and of `--allow-http-address`.
    ///
    /// A URL grant is one of
    /// - `https://api.example.com`, with a port when it is not the scheme's own (`:*` for any), and with a path when only
    ///   what lies below it is granted;
    /// - `https://*.example.com`: all subdomains, at any depth, without `example.com` itself;
    /// - `http://127.0.0.1:9000`: an IP address, which also grants that very address when it is not public;
    /// - `h2c://api.internal:50051`: `http` URLs of this origin, which speaks HTTP/2 without TLS, as gRPC servers do. Wildcards
    ///   and paths as above. An origin that such a grant covers gets all its requests by HTTP/2;
    /// - `https://*` or `http://*`: any public host, at the scheme's own port (`https://*:*` for any);
    /// - `*`: any public host, port and scheme.
    ///
    /// An address grant is an address or a range such as `10.0.0.0/8`: granted names may resolve to it, and URLs that are
    /// granted by a star may name it. Metadata services of clouds are not part of a range; they are granted one by one.
    ///
    /// # Errors
    /// The first malformed value, with the expected format.
    pub fn new<'a>(
        grants: impl IntoIterator<Item = &'a str>,
        addresses: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, GrantError> {
        let grants = grants.into_iter().enumerate().map(|(index, text)| {
            Grant::parse(text).map_err(|expected| GrantError::new("--allow-http", index, expected))
        });
        let ranges = addresses.into_iter().enumerate().map(|(index, text)| {
            let error = || GrantError::new("--allow-http-address", index, AddressRange::EXPECTED);
            AddressRange::parse(text).ok_or_else(error)
        });
        Ok(Self(Arc::new(Rules {
            grants: grants.collect::<Result<_, _>>()?,
            ranges: ranges.collect::<Result<_, _>>()?,
            reported: ReportOnce::default(),
            component: None,
        })))
    }

    /// Returns the expected form of a value of `--allow-http`, if `text` is none.
    pub(crate) fn expected_grant(text: &str) -> Option<&'static str> {
        Grant::parse(text).err()
    }

    /// Returns the expected form of a value of `--allow-http-address`, if `text` is none.
    pub(crate) fn expected_address(text: &str) -> Option<&'static str> {
        AddressRange::parse(text).is_none().then_some(AddressRange::EXPECTED)
    }

    /// Names the component in the log. Without effect on a policy that is in use.
    #[must_use]
    pub fn of_component(mut self, name: &str) -> Self {
        if let Some(rules) = Arc::get_mut(&mut self.0) {
            rules.component = Some(name.to_owned());
        }
        self
    }

    /// Returns the name of the component, for the log.
    pub(crate) fn component(&self) -> Option<&str> {
        self.0.component.as_deref()
    }

    /// Checks the URL of a request, before its name is resolved: see [`Target::permit_address`].
    ///
    /// # Errors
    /// The URL is not granted, or not valid for a request. A URL that is not granted is logged once for each host, with
    /// the flag that grants it.
    pub fn permit_url(&self, uri: &Uri) -> Result<Target, Denied> {
        self.permit(uri, |grant, origin| grant.covers(origin, uri.path()))
    }

    /// Checks the scheme and authority of a connection. Paths are checked per request.
    pub(crate) fn permit_origin(&self, uri: &Uri) -> Result<Target, Denied> {
        self.permit(uri, Grant::covers_origin)
    }

    /// Returns the host of the first grant that covers `uri`, as granted: a name, a star, or a star before a name.
    pub(crate) fn granted_host(&self, uri: &Uri) -> Option<String> {
        let origin = Origin::of(uri).ok()?;
        self.0.grants.iter().find(|grant| grant.covers(&origin, uri.path())).map(Grant::host)
    }

    /// Checks the URL of a request to a component of the app. Returns its name with the target. Grants of any host do not count.
    ///
    /// # Errors
    /// As [`permit_url`](Self::permit_url).
    pub(crate) fn permit_component(&self, uri: &Uri) -> Result<(String, Target), Denied> {
        let origin = Origin::of(uri)?;
        let Some(name) = origin.component().map(str::to_owned) else {
            return Err(Denied::Url("its host is no component of the app"));
        };
        let reachable = origin.scheme == Scheme::Http && origin.port == Scheme::Http.default_port();
        let granted = self.0.grants.iter().any(|grant| grant.covers_component(&name, uri.path()));
        if reachable && granted {
            return Ok((name, Target { origin, literal: false, prior_knowledge: false, policy: self.clone() }));
        }
        let (asked, wanted) = (origin.to_string(), format!("http://{}", origin.host));
        if self.0.reported.is_first(if reachable { &wanted } else { &asked }) {
            let hint = match (reachable, granted) {
                (true, _) => format!("to allow it, add `--allow-http {wanted}`"),
                (false, true) => format!("it is reached at {wanted}, without TLS and without a port"),
                (false, false) => {
                    format!("it is reached at {wanted}, without TLS and without a port, with `--allow-http {wanted}`")
                }
            };
            let asked = if reachable { String::new() } else { format!(" at {asked}") };
            tracing::warn!(component = self.component(), "denied a request to the component {name}{asked}: {hint}");
        }
        Err(Denied::Ungranted { origin: origin.to_string() })
    }

    /// Returns the target of a request to `uri` that middleware passes on. It stays in the app, so no grant is needed.
    ///
    /// # Errors
    /// The URL has no valid scheme and host.
    pub(crate) fn next_handler(&self, uri: &Uri) -> Result<Target, Denied> {
        let origin = Origin::of(uri)?;
        Ok(Target { origin, literal: false, prior_knowledge: false, policy: self.clone() })
    }

    /// Returns whether the host of `uri` stands for a component of the app.
    pub(crate) fn names_component(uri: &Uri) -> bool {
        Origin::of(uri).is_ok_and(|origin| origin.component().is_some())
    }

    fn permit(&self, uri: &Uri, covers: impl Fn(&Grant, &Origin) -> bool) -> Result<Target, Denied> {
        let origin = Origin::of(uri)?;
        let mut granted = false;
        let mut literal = false;
        let mut prior_knowledge = false;
        for grant in self.0.grants.iter().filter(|grant| grant.covers_origin(&origin)) {
            // Independent of the path: requests of one origin share connections.
            prior_knowledge |= grant.has_prior_knowledge();
            if covers(grant, &origin) {
                granted = true;
                literal |= grant.names_address();
            }
        }
        if granted {
            return Ok(Target { origin, literal, prior_knowledge, policy: self.clone() });
        }
        let origin = origin.to_string();
        if self.0.reported.is_first(&origin) {
            tracing::warn!(
                component = self.component(),
                "denied an outgoing request to {origin}: to allow it, add `--allow-http {origin}`"
            );
        }
        Err(Denied::Ungranted { origin })
    }
}

/// The target of a granted request. Its addresses are still to be checked.
#[derive(Debug, Clone)]
pub struct Target {
    origin: Origin,
    /// The grant names the address literally.
    literal: bool,
    prior_knowledge: bool,
    policy: Policy,
}

impl Target {
    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.origin.scheme
    }

    /// Whether the origin speaks HTTP/2 without negotiation (`h2c://`).
    pub fn has_prior_knowledge(&self) -> bool {
        self.prior_knowledge
    }

    /// The normalised host.
    pub fn host(&self) -> &Host {
        &self.origin.host
    }

    /// The port, or the scheme's default if the URL has none.
    pub fn port(&self) -> u16 {
        self.origin.port
    }

    /// Returns whether the port is the scheme's default.
    pub(crate) fn has_default_port(&self) -> bool {
        self.origin.port == self.origin.scheme.default_port()
    }

    /// Normalised host, with the port unless it is the scheme's default.
    pub fn authority(&self) -> String {
        self.origin.authority()
    }

    /// Checks an address that the host resolved to, or that the URL names.
    ///
    /// # Errors
    /// The address is not public and has no grant of its own.
    pub fn permit_address(&self, address: IpAddr) -> Result<(), Denied> {
        let address = address.to_canonical();
        if self.literal && self.origin.host == Host::Ip(address) {
            return Ok(());
        }
        AddressRange::permit(&self.policy.0.ranges, address).map_err(|kind| Denied::Address {
            authority: self.authority(),
            address,
            kind,
        })
    }

    /// Returns the name of the component, for the log.
    pub(crate) fn component(&self) -> Option<&str> {
        self.policy.component()
    }

    /// Logs once for each origin that its gRPC requests are sent by HTTP/1.1, with the flag that changes it.
    pub(crate) fn report_grpc(&self) {
        if self.scheme() == Scheme::Http && !self.prior_knowledge {
            let authority = format!("{}:{}", self.origin.host, self.origin.port);
            if self.policy.0.reported.is_first(&format!("h2c://{authority}")) {
                tracing::warn!(
                    component = self.policy.component(),
                    "a gRPC request to {authority} is sent by HTTP/1.1: for HTTP/2 without TLS, add `--allow-http h2c://{authority}`"
                );
            }
        }
    }

    /// Logs a denied address once for each authority, with the flag that grants it.
    pub(crate) fn report(&self, denied: &Denied) {
        let Denied::Address { authority, address, kind } = denied else { return };
        if self.policy.0.reported.is_first(authority) {
            let hint = format!("--allow-http-address {}", AddressRange::of_one(*address));
            tracing::warn!(
                component = self.policy.component(),
                "denied an outgoing request to {authority}: its address {address} is {kind}; to allow it, add `{hint}`"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(grants: &[&str], addresses: &[&str]) -> Policy {
        Policy::new(grants.iter().copied(), addresses.iter().copied()).unwrap()
    }

    fn reaches(policy: &Policy, url: &str, address: &str) -> bool {
        let target = policy.permit_url(&url.parse().unwrap()).unwrap();
        target.permit_address(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn nothing_is_allowed_by_default() {
        let denied = Policy::default().permit_url(&"https://example.com/".parse().unwrap()).unwrap_err();
        assert_eq!(denied, Denied::Ungranted { origin: "https://example.com".to_owned() });
        assert!(matches!(denied.into(), wasmtime_wasi_http::Error::HttpRequestDenied));
    }

    #[test]
    fn a_name_reaches_public_addresses_only() {
        let policy = policy(&["*"], &[]);
        for url in ["https://example.com/", "http://localhost:9000/", "http://10.0.0.1/"] {
            assert!(reaches(&policy, url, "93.184.216.34"), "{url}");
            assert!(reaches(&policy, url, "2606:2800:220:1::1"), "{url}");
            for address in
                ["127.0.0.1", "::1", "10.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "169.254.169.254", "0.0.0.0"]
            {
                assert!(!reaches(&policy, url, address), "{url} {address}");
            }
        }
    }

    #[test]
    fn a_literal_grants_that_address_for_that_url_alone() {
        let policy =
            policy(&["http://127.0.0.1:9000", "http://169.254.169.254/latest", "http://localhost:9000", "*"], &[]);
        assert!(reaches(&policy, "http://127.1:9000/", "127.0.0.1"));
        assert!(reaches(&policy, "http://127.0.0.1:9000/", "::ffff:127.0.0.1"));
        assert!(!reaches(&policy, "http://127.0.0.1:9000/", "127.0.0.2"));
        assert!(!reaches(&policy, "http://127.0.0.1:9001/", "127.0.0.1"));
        assert!(!reaches(&policy, "http://localhost:9000/", "127.0.0.1"));
        assert!(reaches(&policy, "http://169.254.169.254/latest/meta-data", "169.254.169.254"));
        assert!(!reaches(&policy, "http://169.254.169.254/other", "169.254.169.254"));
    }

    #[test]
    fn an_h2c_grant_is_for_http_urls_and_for_all_requests_of_its_origin() {
        let policy = policy(&["h2c://api.internal:50051/a", "http://*.internal:*", "h2c://127.0.0.1"], &[]);
        let knows = |url: &str| policy.permit_url(&url.parse().unwrap()).map(|target| target.has_prior_knowledge());
        assert_eq!(knows("http://api.internal:50051/a"), Ok(true));
        assert_eq!(knows("http://api.internal:50051/b"), Ok(true));
        assert_eq!(knows("http://api.internal:50052/a"), Ok(false));
        assert_eq!(knows("http://127.0.0.1/"), Ok(true));
        assert!(knows("https://api.internal:50051/a").is_err());
        assert!(reaches(&policy, "http://127.0.0.1/", "127.0.0.1"));
    }

    #[test]
    fn ranges_are_for_granted_names_and_leave_metadata_out() {
        let grants = ["http://db.internal"];
        let ranges = ["10.0.0.0/8", "169.254.0.0/16", "fd00::/8", "::ffff:192.168.0.0/112"];
        let wide = policy(&grants, &ranges);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "169.254.1.1", "fd00::1", "192.168.5.5"] {
            assert!(reaches(&wide, "http://db.internal/", address), "{address}");
        }
        for address in ["169.254.169.254", "fd00:ec2::254", "127.0.0.1", "172.16.0.1", "64:ff9b::10.1.2.3"] {
            assert!(!reaches(&wide, "http://db.internal/", address), "{address}");
        }
        assert!(wide.permit_url(&"http://10.1.2.3/".parse().unwrap()).is_err());
        for one in ["169.254.169.254", "169.254.169.254/32"] {
            assert!(reaches(&policy(&grants, &[one]), "http://db.internal/", "169.254.169.254"));
        }
        assert!(!reaches(&policy(&grants, &["169.254.169.254/31"]), "http://db.internal/", "169.254.169.254"));
        assert!(reaches(&policy(&["*"], &["127.0.0.0/8"]), "http://127.0.0.1:1/", "127.0.0.1"));
    }

    #[test]
    fn bad_values_are_named_without_being_repeated() {
        let error = Policy::new(["*", "https://user:secret@a.test"], []).unwrap_err();
        assert_eq!(error.to_string(), "value 2 of --allow-http: expected a URL without user name and password");
        for bad in ["", "10.0.0.0/33", "10.0.0", "example.com", "fd00::/129"] {
            let error = Policy::new([], [bad]).unwrap_err();
            assert_eq!((error.flag(), error.position()), ("--allow-http-address", 1), "{bad}");
        }
    }

    #[test]
    fn denials_are_told_apart_for_the_component() {
        let target = policy(&["http://a.test"], &[]).permit_url(&"http://a.test/".parse().unwrap()).unwrap();
        let denied = target.permit_address("10.0.0.1".parse().unwrap()).unwrap_err();
        assert_eq!(denied.to_string(), "a.test is at 10.0.0.1, which is private and not granted");
        assert!(matches!(denied.into(), wasmtime_wasi_http::Error::DestinationIpProhibited));
    }
}
