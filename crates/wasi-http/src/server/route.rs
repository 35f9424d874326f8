//! `Route`: a pattern of hosts and paths, `[HOST]/PATH`, whose requests a component gets.

use std::borrow::Cow;
use std::fmt;

use http::uri::Uri;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use tempo_settings::{FlagValue, Host, HostPattern};

use crate::component_host::{COMPONENT_SUFFIXES, component_of};

/// A pattern of hosts and paths. Routes are ordered: of all that match a request, the least one is the most specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    host: HostRule,
    path: Vec<Segment>,
    /// Whether the path may continue after its segments.
    has_rest: bool,
    text: String,
}

/// The hosts of a route, the most specific first. Names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum HostRule {
    Exactly(String),
    /// All hosts with this suffix, which begins with a dot.
    Below(String),
    Any,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// The decoded text.
    Text(String),
    /// Any text but the empty one.
    Name,
}

/// The order of a route among those that match one request.
type Rank = (u8, usize, Vec<u8>);

impl Route {
    /// Returns whether the route matches a request for `path` on `host`, in lower case and without port and trailing dot.
    pub(crate) fn matches(&self, host: &str, path: &str) -> bool {
        self.matches_host(host) && self.matches_path(path)
    }

    /// Returns whether the route matches the same requests as `other`, so that neither is more specific.
    pub(crate) fn ties_with(&self, other: &Self) -> bool {
        self.host == other.host && self.path == other.path && self.has_rest == other.has_rest
    }

    /// Returns the order of the route: the most specific is the least.
    pub(crate) fn rank(&self) -> Rank {
        let (host, length) = match &self.host {
            HostRule::Exactly(_) => (0, 0),
            HostRule::Below(suffix) => (1, usize::MAX.saturating_sub(suffix.len())),
            HostRule::Any => (2, 0),
        };
        let kind = |segment: &Segment| match segment {
            Segment::Text(_) => 0,
            Segment::Name => 1,
        };
        let end = if self.has_rest { 3 } else { 2 };
        (host, length, self.path.iter().map(kind).chain([end]).collect())
    }

    fn matches_host(&self, host: &str) -> bool {
        match &self.host {
            HostRule::Any => true,
            HostRule::Exactly(name) => host == name,
            HostRule::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        }
    }

    fn matches_path(&self, path: &str) -> bool {
        let mut rest = path.strip_prefix('/').unwrap_or(path).split('/');
        let matched = self.path.iter().all(|segment| rest.next().is_some_and(|given| segment.matches(given)));
        matched && (self.has_rest || rest.next().is_none())
    }
}

impl Segment {
    fn matches(&self, given: &str) -> bool {
        match self {
            Self::Name => !given.is_empty(),
            Self::Text(text) if !given.contains('%') => text == given,
            Self::Text(text) => percent_decode_str(given).eq(text.bytes()),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FlagValue for Route {
    const EXPECTED: &'static str = "[HOST]/PATH, such as /api/*, /users/{id} or example.com/{rest...}, with * and {rest...} at the end only, without . and .. \
         in the path, and no host of a component";

    fn parse(text: &str) -> Option<Self> {
        let (host, path) = text.split_once('/')?;
        let host = match host {
            "" => HostRule::Any,
            host => match HostPattern::parse(host)? {
                // The server answers 400 to clients that name a component as the host.
                HostPattern::Exactly(host) if is_internal(&host.to_string()) => return None,
                HostPattern::Below(base) if is_internal(&base.to_string()) => return None,
                HostPattern::Exactly(host) => HostRule::Exactly(host.to_string()),
                HostPattern::Below(base) => HostRule::Below(format!(".{base}")),
                _ => return None,
            },
        };
        if path.contains(['?', '#']) || path.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
            return None;
        }
        let mut segments: Vec<&str> = path.split('/').collect();
        let has_rest = segments.last().is_some_and(|last| is_rest(last));
        if has_rest {
            segments.pop();
        }
        let path = segments.into_iter().map(segment).collect::<Option<_>>()?;
        Some(Self { host, path, has_rest, text: text.to_owned() })
    }
}

/// Returns whether a segment stands for the rest of a path: `*` or `{NAME...}`.
fn is_rest(segment: &str) -> bool {
    let named = segment.strip_prefix('{').and_then(|name| name.strip_suffix("...}"));
    segment == "*" || named.is_some_and(is_name)
}

fn segment(text: &str) -> Option<Segment> {
    if let Some(name) = text.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
        return is_name(name).then_some(Segment::Name);
    }
    if text.contains(['{', '}', '*']) {
        return None;
    }
    let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    // Clients resolve dot segments before they send a request.
    (text != "." && text != "..").then_some(Segment::Text(text))
}

/// Returns whether the hosts of components are `host` or below it.
fn is_internal(host: &str) -> bool {
    COMPONENT_SUFFIXES.contains(&host) || component_of(host).is_some()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Returns the host of a request, in lower case and without port and trailing dot. Empty if the request names none.
pub(crate) fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Cow<'a, str> {
    let authority = uri.authority().map(|authority| authority.as_str());
    let header = || headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = authority.or_else(header).unwrap_or_default();
    let host = match authority.rfind(':') {
        // The colons within brackets belong to an address.
        Some(colon) if !authority.get(colon..).unwrap_or_default().contains(']') => authority.get(..colon),
        _ => Some(authority),
    };
    let host = host.unwrap_or_default();
    let host = host.strip_suffix('.').unwrap_or(host);
    if !host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Borrowed(host);
    }
    // An address may have other spellings than that of a route.
    Cow::Owned(Host::parse(host).map_or_else(|| host.to_ascii_lowercase(), |host| host.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(text: &str) -> Route {
        Route::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn patterns_match_what_they_name() {
        let table: [(&str, &[&str], &[&str]); 8] = [
            ("/", &["/"], &["/a", "//"]),
            ("/*", &["/", "/a", "/a/b", "*", "//"], &[]),
            ("/api", &["/api", "/%61pi"], &["/api/", "/apis", "/API", "/"]),
            ("/api/*", &["/api", "/api/", "/api/a/b"], &["/apis", "/", "/x/api"]),
            ("/api/{rest...}", &["/api", "/api/a/b"], &["/apis"]),
            ("/users/{id}", &["/users/7", "/users/a%2Fb"], &["/users/", "/users", "/users/7/x"]),
            ("/users/{id}/posts", &["/users/7/posts"], &["/users//posts", "/users/7/posts/"]),
            ("/a%20b", &["/a%20b"], &["/a b c", "/a%2520b"]),
        ];
        for (pattern, matched, others) in table {
            let route = route(pattern);
            matched.iter().for_each(|path| assert!(route.matches("h", path), "{pattern} matches {path}"));
            others.iter().for_each(|path| assert!(!route.matches("h", path), "{pattern} does not match {path}"));
        }
    }

    #[test]
    fn a_host_is_part_of_a_pattern() {
        let one = route("Shop.example.com/v2/{rest...}");
        assert!(one.matches("shop.example.com", "/v2/x") && !one.matches("example.com", "/v2/x"));
        let below = route("*.example.com/*");
        assert!(below.matches("a.b.example.com", "/") && !below.matches("example.com", "/"));
        assert!(!below.matches("badexample.com", "/"));
        let host = |uri: &str, header: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, header.parse().unwrap());
            host_of(&uri.parse().unwrap(), &headers).into_owned()
        };
        assert_eq!(host("/", "Shop.Example.com.:8080"), "shop.example.com");
        assert_eq!(host("/", "shop.example.com:80"), "shop.example.com");
        assert_eq!(host("/", "[::1]:80"), "[::1]");
        assert_eq!(host("/", "[::1]"), "[::1]");
        assert_eq!(host("http://a.test:1/", "b.test"), "a.test");
    }

    #[test]
    fn the_most_specific_is_the_least() {
        let mut routes: Vec<Route> = [
            "/*",
            "/api/*",
            "/api/{id}",
            "/api/list",
            "*.test/*",
            "a.test/{x}/y",
            "a.test/b/{y}",
            "*.b.test/*",
            "/{x}",
        ]
        .map(route)
        .into();
        routes.sort_by_key(Route::rank);
        let texts: Vec<String> = routes.iter().map(ToString::to_string).collect();
        let order = [
            "a.test/b/{y}",
            "a.test/{x}/y",
            "*.b.test/*",
            "*.test/*",
            "/api/list",
            "/api/{id}",
            "/api/*",
            "/{x}",
            "/*",
        ];
        assert_eq!(texts, order);
    }

    #[test]
    fn equal_patterns_tie_whatever_their_names() {
        assert!(route("/a/{x}").ties_with(&route("/a/{y}")));
        assert!(route("/a/*").ties_with(&route("/a/{rest...}")));
        assert!(route("A.test/").ties_with(&route("a.test/")));
        assert!(!route("/a/{x}").ties_with(&route("/{x}/a")));
        assert!(!route("/a").ties_with(&route("a.test/a")) && !route("/a").ties_with(&route("/a/*")));
    }

    #[test]
    fn mistakes_are_no_routes() {
        for bad in [
            "",
            "a",
            "example.com",
            "*/x",
            "/a/*/b",
            "/{rest...}/b",
            "/{}",
            "/{a",
            "/a*",
            "/a?b",
            "/a#b",
            "/a b",
            "a:80/",
            "/a/../b",
            "/a/%2e%2E/b",
            "/.",
            "api.tempo.internal/*",
            "API.spin.internal/",
            "*.tempo.internal/*",
            "tempo.internal/",
        ] {
            assert_eq!(Route::parse(bad), None, "{bad}");
        }
    }
}
