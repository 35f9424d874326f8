//! `Handlers`: the components that a request passes through.

use std::sync::Arc;

/// The components that a request passes through: middleware, the outermost first, and the one that is addressed. It has at
/// least one.
#[derive(Clone, Debug)]
pub(crate) struct Handlers {
    names: Arc<[String]>,
    /// The index of the component that gets the request now.
    index: usize,
}

impl Handlers {
    /// Creates the way to the component `name` through `middleware`.
    pub(crate) fn new(middleware: &[String], name: &str) -> Self {
        Self { names: middleware.iter().cloned().chain([name.to_owned()]).collect(), index: 0 }
    }

    /// Returns the component that gets the request.
    pub(crate) fn first(&self) -> &str {
        self.names.get(self.index).map_or("", String::as_str)
    }

    /// Returns the components that are left after the first, if there are any.
    pub(crate) fn rest(&self) -> Option<Self> {
        let index = self.index.saturating_add(1);
        (index < self.names.len()).then(|| Self { names: self.names.clone(), index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_passes_through_all_of_them() {
        let handlers = Handlers::new(&["auth".to_owned(), "log".to_owned()], "api");
        let mut passed = vec![handlers.first().to_owned()];
        let mut rest = handlers.rest();
        while let Some(handlers) = rest {
            passed.push(handlers.first().to_owned());
            rest = handlers.rest();
        }
        assert_eq!(passed, ["auth", "log", "api"]);
    }
}
