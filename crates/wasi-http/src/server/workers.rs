//! `Workers`: the components that a serving thread calls, and the routes that lead to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Request;

use super::reply::Refusal;
use super::route::{Route, host_of};
use super::router::Router;
use super::worker::Worker;
use crate::component_host::component_of;
use crate::handlers::Handlers;

/// Where the requests of a component enter: the index of its outermost middleware, or its own, and the handlers after that one.
type Entry = (usize, Option<Handlers>);

/// The routes of all components, which the serving threads share.
pub(crate) struct Routes {
    /// Indexes of the components, by route. `None` if the first component gets all requests.
    router: Option<Router<usize>>,
    /// By index of the addressed component.
    entries: Vec<Entry>,
    /// By name of the addressed component: its index, and the way to it.
    components: BTreeMap<String, (usize, Handlers)>,
    /// Whether the components are those of an app, which reach each other by host names of their own.
    in_app: bool,
}

impl Routes {
    /// Creates the routes of `components`: the name, routes and middleware of each. In an app, a component without routes gets no
    /// requests from clients.
    pub(crate) fn new<'a>(
        components: impl IntoIterator<Item = (&'a str, &'a [Route], &'a [String])>,
        in_app: bool,
    ) -> Self {
        let components: Vec<_> = components.into_iter().collect();
        let position = |wanted: &str| components.iter().position(|(name, ..)| *name == wanted);
        let of_component = |(index, (_, routes, _)): (usize, &(&str, &[Route], &[String]))| {
            routes.iter().map(move |route| (route.clone(), index)).collect::<Vec<_>>()
        };
        let routes: Vec<(Route, usize)> = components.iter().enumerate().flat_map(of_component).collect();
        let router = (in_app || !routes.is_empty()).then(|| Router::new(routes));
        let handlers: Vec<Handlers> =
            components.iter().map(|(name, _, middleware)| Handlers::new(middleware, name)).collect();
        let entry = |(index, way): (usize, &Handlers)| (position(way.first()).unwrap_or(index), way.rest());
        let entries = handlers.iter().enumerate().map(entry).collect();
        let names = components.iter().map(|(name, ..)| (*name).to_owned());
        Self { router, entries, components: names.zip(handlers.into_iter().enumerate()).collect(), in_app }
    }
}

/// The components of one serving thread.
pub(crate) struct Workers {
    /// In the order of the routes' indexes.
    all: Vec<Arc<Worker>>,
    routes: Arc<Routes>,
}

impl Workers {
    /// Creates the components of one thread.
    pub(crate) fn new(all: Vec<Arc<Worker>>, routes: Arc<Routes>) -> Self {
        Self { all, routes }
    }

    /// Returns the component that gets `request`, from a client of the server, and those that it is passed on to.
    ///
    /// # Errors
    ///
    /// No route matches, or the client names a component of the app as the host.
    pub(crate) fn select<B>(&self, request: &Request<B>) -> Result<(&Arc<Worker>, Option<Handlers>), Refusal> {
        let Routes { router, entries, in_app, .. } = &*self.routes;
        if *in_app && component_of(&host_of(request.uri(), request.headers())).is_some() {
            return Err(Refusal::BadRequest);
        }
        let index = match router {
            None => 0,
            Some(router) => *router.find(request).ok_or(Refusal::NotFound)?,
        };
        let (first, next) = entries.get(index).ok_or(Refusal::NotFound)?;
        Ok((self.all.get(*first).ok_or(Refusal::NotFound)?, next.clone()))
    }

    /// Returns the component `name`.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Worker>> {
        let (index, _) = self.routes.components.get(name)?;
        self.all.get(*index)
    }

    /// Returns the way to the component `name`, through its middleware.
    pub(crate) fn way_to(&self, name: &str) -> Option<&Handlers> {
        self.routes.components.get(name).map(|(_, handlers)| handlers)
    }

    /// Returns whether there is more than one component.
    pub(crate) fn has_several(&self) -> bool {
        self.all.len() > 1
    }

    /// Returns all components.
    pub(crate) fn all(&self) -> &[Arc<Worker>] {
        &self.all
    }
}
