//! One value of `--allow-http`, and the URLs that it covers.

use tempo_settings::{Host, HostPattern};

use super::origin::{Origin, Scheme};
use super::path::PathPrefix;
use crate::component_host::{COMPONENT_SUFFIXES, component_of};

const URL: &str =
    "a URL such as https://api.example.com, https://*.example.com or http://127.0.0.1:9000, or * for any public host";
const SCHEME: &str = "http://, https:// or h2c:// at the start";
/// The scheme of a grant for plain-text HTTP/2 by prior knowledge (RFC 9113, 3.3).
const H2C: &str = "h2c";
const USER: &str = "a URL without user name and password";
const QUERY: &str = "a URL without ? and #";
const HOST: &str = "a host name or an IP address, and a port number or *";
const STAR: &str = "* as the whole host, or once at its start as in https://*.example.com";
const COMPONENT: &str = "http://NAME.tempo.internal, without a port, for a component of the app";
const PATH: &str = "a path without encoded slashes and dots";

/// A set of covered URLs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grant {
    /// `None` covers both.
    scheme: Option<Scheme>,
    /// Requests are sent by HTTP/2 without negotiation.
    prior_knowledge: bool,
    host: HostPattern,
    port: PortRule,
    path: PathPrefix,
}

/// The components of an app that a grant covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ComponentGrant {
    /// The component of this name.
    One(String),
    /// All components.
    All,
}

/// A value of `--allow-http` that grants components of the app.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InAppGrant {
    /// The components.
    pub(crate) components: ComponentGrant,
    /// The expected format, if the components cannot be reached by the scheme or port of the value.
    pub(crate) unusable: Option<&'static str>,
}

/// Returns the components that `text`, a value of `--allow-http`, grants. `None` if it grants other hosts, or is malformed.
pub(crate) fn component_grant(text: &str) -> Option<InAppGrant> {
    let grant = Grant::parse(text).ok()?;
    let components = grant.components()?;
    Some(InAppGrant { components, unusable: (!grant.is_usable_in_app()).then_some(COMPONENT) })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PortRule {
    Any,
    Exactly(u16),
}

impl Grant {
    /// Returns the host as granted.
    pub(super) fn host(&self) -> String {
        self.host.to_string()
    }

    /// Parses a grant. The error is the expected format.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text == "*" {
            let (host, port, path) = (HostPattern::Any, PortRule::Any, PathPrefix::default());
            return Ok(Self { scheme: None, prior_knowledge: false, host, port, path });
        }
        let (scheme, rest) = text.split_once("://").ok_or(URL)?;
        let prior_knowledge = scheme.eq_ignore_ascii_case(H2C);
        let scheme = if prior_knowledge { Scheme::Http } else { Scheme::parse(scheme).ok_or(SCHEME)? };
        let (authority, path) = match rest.find(['/', '?', '#', '\\']) {
            Some(end) => rest.split_at(end),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(USER);
        }
        if path.contains(['?', '#']) {
            return Err(QUERY);
        }
        let path = PathPrefix::new(path).ok_or(PATH)?;
        let (authority, any_port) = match authority.strip_suffix(":*") {
            Some(host) => (host, true),
            None => (authority, false),
        };
        let (host, port) = host_rule(scheme, authority)?;
        let port = if any_port { PortRule::Any } else { PortRule::Exactly(port) };
        Ok(Self { scheme: Some(scheme), prior_knowledge, host, port, path })
    }

    /// Returns whether a URL of `origin` can be covered.
    pub(super) fn covers_origin(&self, origin: &Origin) -> bool {
        let port = match self.port {
            PortRule::Any => true,
            PortRule::Exactly(port) => port == origin.port,
        };
        self.host.covers(&origin.host) && port && self.scheme.is_none_or(|scheme| scheme == origin.scheme)
    }

    /// Returns whether the URL with `origin` and `path` is covered.
    pub(super) fn covers(&self, origin: &Origin, path: &str) -> bool {
        self.covers_origin(origin) && self.path.covers(path)
    }

    /// Returns the components of the app that the grant covers. A star for any host covers none.
    pub(super) fn components(&self) -> Option<ComponentGrant> {
        match &self.host {
            HostPattern::Exactly(Host::Name(name)) => {
                component_of(name).map(|name| ComponentGrant::One(name.to_owned()))
            }
            HostPattern::Below(base) if COMPONENT_SUFFIXES.contains(&base.as_str()) => Some(ComponentGrant::All),
            _ => None,
        }
    }

    /// Returns whether requests for `path` to the component `name` are covered, under either of its host names.
    pub(super) fn covers_component(&self, name: &str, path: &str) -> bool {
        let covers_name = match self.components() {
            Some(ComponentGrant::One(granted)) => granted == name,
            Some(ComponentGrant::All) => true,
            None => false,
        };
        covers_name && self.is_usable_in_app() && self.path.covers(path)
    }

    /// Returns whether a component of the app can be reached by the scheme and port of the grant.
    pub(super) fn is_usable_in_app(&self) -> bool {
        self.scheme == Some(Scheme::Http)
            && !self.prior_knowledge
            && matches!(self.port, PortRule::Any | PortRule::Exactly(80))
    }

    /// Returns whether the covered origins speak HTTP/2 without negotiation.
    pub(super) fn has_prior_knowledge(&self) -> bool {
        self.prior_knowledge
    }

    /// Returns whether the grant names an address, which grants that address too, public or not.
    pub(super) fn names_address(&self) -> bool {
        self.host.address().is_some()
    }
}

/// Parses the host, with an optional wildcard, and the port.
fn host_rule(scheme: Scheme, authority: &str) -> Result<(HostPattern, u16), &'static str> {
    // A wildcard is no valid host name: the parser gets the rest, or a placeholder.
    let (wildcard, parsed) = match authority.strip_prefix('*') {
        None => (false, authority.to_owned()),
        Some(rest) => match rest.strip_prefix('.') {
            Some(base) => (true, base.to_owned()),
            None if rest.is_empty() || rest.starts_with(':') => (true, format!("any{rest}")),
            None => return Err(STAR),
        },
    };
    if parsed.contains('*') {
        return Err(STAR);
    }
    let origin = Origin::parse(scheme, &parsed).map_err(|_| HOST)?;
    let host = match (wildcard, origin.host) {
        (false, host) => HostPattern::Exactly(host),
        (true, _) if !authority.starts_with("*.") => HostPattern::Any,
        (true, Host::Name(base)) => HostPattern::Below(base),
        (true, Host::Ip(_)) => return Err(STAR),
    };
    Ok((host, origin.port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(grant: &str, url: &str) -> bool {
        let uri: http::Uri = url.parse().unwrap();
        Grant::parse(grant).unwrap().covers(&Origin::of(&uri).unwrap(), uri.path())
    }

    #[test]
    fn grants_cover_what_they_name_and_nothing_beside_it() {
        let table: [(&str, &[&str], &[&str]); 9] = [
            (
                "https://api.example.com",
                &["https://api.example.com/", "https://API.example.com.:443/a?b=c", "https://api.example.com/a/../b"],
                &[
                    "http://api.example.com/",
                    "https://api.example.com:8443/",
                    "https://example.com/",
                    "https://x.api.example.com/",
                    "https://api.example.com.evil.test/",
                ],
            ),
            (
                "http://api.example.com:8080",
                &["http://api.example.com:8080/"],
                &["http://api.example.com/", "https://api.example.com:8080/"],
            ),
            (
                "http://api.example.com:*",
                &["http://api.example.com:8080/", "http://api.example.com/"],
                &["https://api.example.com/"],
            ),
            (
                "https://api.example.com/v1",
                &["https://api.example.com/v1", "https://api.example.com/v1/x?y"],
                &["https://api.example.com/", "https://api.example.com/v10", "https://api.example.com/v1/../x"],
            ),
            (
                "https://*.example.com",
                &["https://a.example.com/", "https://a.b.example.com/"],
                &[
                    "https://example.com/",
                    "https://badexample.com/",
                    "https://a.example.com:1/",
                    "https://a.example.com.evil.test/",
                ],
            ),
            ("*", &["https://example.com/", "http://example.com:81/", "http://127.0.0.1/"], &[]),
            (
                "https://*",
                &["https://example.com/", "https://127.0.0.1/"],
                &["http://example.com/", "https://example.com:8443/"],
            ),
            ("https://*:*", &["https://example.com:8443/"], &["http://example.com/"]),
            (
                "http://0x7f.1:9000",
                &["http://127.0.0.1:9000/", "http://2130706433:9000/", "http://[::ffff:127.0.0.1]:9000/"],
                &["http://127.0.0.2:9000/", "http://localhost:9000/", "http://127.0.0.1/"],
            ),
        ];
        for (grant, covered, others) in table {
            for url in covered {
                assert!(covers(grant, url), "{grant} covers {url}");
            }
            for url in others {
                assert!(!covers(grant, url), "{grant} does not cover {url}");
            }
        }
    }

    #[test]
    fn components_are_granted_by_name_and_not_by_a_star_for_any_host() {
        let covers = |grant: &str, path: &str| Grant::parse(grant).unwrap().covers_component("api", path);
        for grant in [
            "http://api.tempo.internal",
            "http://api.spin.internal",
            "http://*.tempo.internal",
            "http://API.tempo.internal:*",
        ] {
            assert!(covers(grant, "/x"), "{grant}");
        }
        assert!(covers("http://api.tempo.internal/v1", "/v1/x") && !covers("http://api.tempo.internal/v1", "/v2"));
        for grant in [
            "*",
            "http://*",
            "http://*:*",
            "http://*.internal",
            "http://web.tempo.internal",
            "http://a.api.tempo.internal",
            "https://api.tempo.internal",
            "h2c://api.tempo.internal",
            "http://api.tempo.internal:8080",
        ] {
            assert!(!covers(grant, "/x"), "{grant}");
        }
        let grant = |unusable| Some(InAppGrant { components: ComponentGrant::One("api".into()), unusable });
        assert_eq!(component_grant("http://api.tempo.internal"), grant(None));
        assert_eq!(component_grant("https://api.tempo.internal"), grant(Some(COMPONENT)));
        assert_eq!((component_grant("*"), component_grant("nonsense")), (None, None));
    }

    #[test]
    fn a_bad_grant_says_what_was_expected() {
        let table = [
            ("", URL),
            ("api.example.com", URL),
            ("ftp://api.example.com", SCHEME),
            ("*://api.example.com", SCHEME),
            ("https://", HOST),
            ("https://user:secret@api.example.com", USER),
            ("https://api.example.com?x", QUERY),
            ("https://api.example.com/#x", QUERY),
            ("https://api.example.com:99999", HOST),
            ("https://api.*.com", STAR),
            ("https://*example.com", STAR),
            ("https://*.*.com", STAR),
            ("https://*.127.0.0.1", STAR),
            ("https://a b", HOST),
            ("https://api.example.com/a/../b", PATH),
        ];
        for (grant, expected) in table {
            assert_eq!(Grant::parse(grant), Err(expected), "{grant}");
        }
    }
}
