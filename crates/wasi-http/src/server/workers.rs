//! `Workers`: the components that a serving thread calls, and the routes that lead to them.

use std::sync::Arc;

use http::Request;

use super::reply::Refusal;
use super::route::host_of;
use super::router::Router;
use super::worker::Worker;
use crate::component_host::component_of;

/// The components of one serving thread.
pub(crate) struct Workers {
    all: Vec<Arc<Worker>>,
    /// Indexes of `all`, by route. `None` if the first component gets all requests.
    router: Option<Arc<Router<usize>>>,
    /// Whether the components are those of an app, which reach each other by host names of their own.
    in_app: bool,
}

impl Workers {
    /// Creates the components of one thread.
    pub(crate) fn new(all: Vec<Arc<Worker>>, router: Option<Arc<Router<usize>>>, in_app: bool) -> Self {
        Self { all, router, in_app }
    }

    /// Returns the component that gets `request`, from a client of the server.
    ///
    /// # Errors
    ///
    /// No route matches, or the client names a component of the app as the host.
    pub(crate) fn select<B>(&self, request: &Request<B>) -> Result<&Arc<Worker>, Refusal> {
        if self.in_app && component_of(&host_of(request.uri(), request.headers())).is_some() {
            return Err(Refusal::BadRequest);
        }
        let index = match &self.router {
            None => 0,
            Some(router) => *router.find(request).ok_or(Refusal::NotFound)?,
        };
        self.all.get(index).ok_or(Refusal::NotFound)
    }

    /// Returns all components.
    pub(crate) fn all(&self) -> &[Arc<Worker>] {
        &self.all
    }
}
