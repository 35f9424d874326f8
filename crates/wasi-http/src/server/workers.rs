//! `Workers`: the components that a serving thread calls, and the routes that lead to them.

use std::sync::Arc;

use http::Request;

use super::reply::Refusal;
use super::route::host_of;
use super::router::Router;
use super::worker::Worker;
use crate::component_host::component_of;
use crate::handlers::Handlers;

/// Where the requests of a component enter: the index of its outermost middleware, or its own, and the handlers after that one.
pub(super) type Entry = (usize, Option<Handlers>);

/// The components of one serving thread.
pub(crate) struct Workers {
    all: Vec<Arc<Worker>>,
    /// Indexes of `all`, by route. `None` if the first component gets all requests.
    router: Option<Arc<Router<usize>>>,
    /// By index of the addressed component.
    entries: Arc<[Entry]>,
    /// Whether the components are those of an app, which reach each other by host names of their own.
    in_app: bool,
}

impl Workers {
    /// Creates the components of one thread.
    pub(crate) fn new(
        all: Vec<Arc<Worker>>,
        router: Option<Arc<Router<usize>>>,
        entries: Arc<[Entry]>,
        in_app: bool,
    ) -> Self {
        Self { all, router, entries, in_app }
    }

    /// Returns the component that gets `request`, from a client of the server, and those that it is passed on to.
    ///
    /// # Errors
    ///
    /// No route matches, or the client names a component of the app as the host.
    pub(crate) fn select<B>(&self, request: &Request<B>) -> Result<(&Arc<Worker>, Option<Handlers>), Refusal> {
        if self.in_app && component_of(&host_of(request.uri(), request.headers())).is_some() {
            return Err(Refusal::BadRequest);
        }
        let index = match &self.router {
            None => 0,
            Some(router) => *router.find(request).ok_or(Refusal::NotFound)?,
        };
        let (first, next) = self.entries.get(index).ok_or(Refusal::NotFound)?;
        Ok((self.all.get(*first).ok_or(Refusal::NotFound)?, next.clone()))
    }

    /// Returns all components.
    pub(crate) fn all(&self) -> &[Arc<Worker>] {
        &self.all
    }
}
