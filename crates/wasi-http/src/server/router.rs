//! `Router`: finds the target of a request by its host and path.

use http::Request;

use super::route::{Route, host_of};

/// Targets by route.
#[derive(Debug)]
pub(crate) struct Router<T> {
    /// The most specific first.
    routes: Vec<(Route, T)>,
}

impl<T> Router<T> {
    /// Creates the router of `routes`, none of which tie.
    pub(crate) fn new(routes: impl IntoIterator<Item = (Route, T)>) -> Self {
        let mut routes: Vec<_> = routes.into_iter().collect();
        routes.sort_by_cached_key(|(route, _)| route.rank());
        Self { routes }
    }

    /// Returns the target of the most specific route that matches `request`.
    pub(crate) fn find<B>(&self, request: &Request<B>) -> Option<&T> {
        let host = host_of(request.uri(), request.headers());
        let path = request.uri().path();
        self.routes.iter().find(|(route, _)| route.matches(&host, path)).map(|(_, target)| target)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tempo_settings::FlagValue as _;

    use super::*;

    fn router(texts: &[&str]) -> Router<usize> {
        Router::new(texts.iter().enumerate().map(|(index, text)| (Route::parse(text).unwrap(), index)))
    }

    fn find(router: &Router<usize>, host: &str, path: &str) -> Option<usize> {
        let request = Request::builder().uri(path).header("host", host).body(()).unwrap();
        router.find(&request).copied()
    }

    #[test]
    fn the_most_specific_route_gets_the_request() {
        let router = router(&["/*", "/api/*", "/api/health", "shop.test/*", "/api/{id}"]);
        for (host, path, expected) in [
            ("a.test", "/", 0),
            ("a.test", "/api", 1),
            ("a.test", "/api/1/2", 1),
            ("a.test", "/api/1?x=/api/health", 4),
            ("a.test:8080", "/api/health", 2),
            ("SHOP.test", "/api/health", 3),
        ] {
            assert_eq!(find(&router, host, path), Some(expected), "{host}{path}");
        }
        assert_eq!(find(&super::tests::router(&["/a"]), "a.test", "/b"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        /// Another order of the routes leads to the same target, and the target's route matches.
        #[test]
        fn the_order_of_routes_does_not_matter(
            mut texts in prop::collection::vec("(|a\\.t|\\*\\.t)(/(a|b|\\{x\\})){0,3}(/|/\\*|/\\{r\\.\\.\\.\\})", 1..8),
            path in "(/(a|b|%61|)){1,4}",
        ) {
            let mut routes: Vec<Route> = Vec::new();
            texts.retain(|text| {
                let route = Route::parse(text).unwrap();
                let is_new = !routes.iter().any(|known| known.ties_with(&route));
                routes.extend(is_new.then_some(route));
                is_new
            });
            let forward: Vec<&str> = texts.iter().map(String::as_str).collect();
            let backward: Vec<&str> = forward.iter().rev().copied().collect();
            let found = find(&router(&forward), "a.t", &path).map(|index| forward[index]);
            prop_assert_eq!(found, find(&router(&backward), "a.t", &path).map(|index| backward[index]));
            let matching = routes.iter().filter(|route| route.matches("a.t", &path)).min_by_key(|route| route.rank());
            let matching = matching.map(ToString::to_string);
            prop_assert_eq!(found, matching.as_deref());
        }
    }
}
