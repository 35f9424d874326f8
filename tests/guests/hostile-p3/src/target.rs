//! The target of a request, which selects the behaviour.

use wasip3::http::types::Request;

/// The path and the query of a request.
pub(crate) struct Target {
    pub(crate) path: String,
    query: String,
}

impl Target {
    pub(crate) fn of(request: &Request) -> Self {
        let target = request.get_path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        Self { path: path.to_owned(), query: query.to_owned() }
    }

    /// Returns the query value of `name`, not decoded.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Returns the query value of `name` as a number.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.text(name).and_then(|value| value.parse().ok())
    }
}
