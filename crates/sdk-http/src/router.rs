//! `Router`: selects a handler by method and path.

use std::fmt;
use std::pin::Pin;

use http::header::ALLOW;
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use crate::{IntoResponse, Request, Response};

type ResponseFuture = Pin<Box<dyn Future<Output = Response>>>;
type Handler = Box<dyn Fn(Request) -> ResponseFuture + Send + Sync>;

/// A table of routes.
///
/// Paths are fixed (`/users`), have parameters (`/users/{id}`) or end with a wildcard (`/files/{*path}`); a fixed
/// segment takes precedence over a parameter. The router responds 405 with `Allow` if the path has routes for other
/// methods only, and 404 if it has none. The handler of `GET` serves `HEAD`, and the host leaves the body out.
///
/// ```
/// # mod guest {
/// use std::sync::LazyLock;
/// use tempo_sdk_http::{IntoResponse, Request, Router};
///
/// static ROUTES: LazyLock<Router> =
///     LazyLock::new(|| Router::new().get("/", async |_| "home\n").get("/greet/{name}", greet));
///
/// async fn greet(request: Request) -> impl IntoResponse {
///     format!("Hello, {}!\n", request.parameter("name").unwrap_or("you"))
/// }
///
/// #[tempo_sdk_http::handler]
/// async fn main(request: Request) -> impl IntoResponse {
///     ROUTES.handle(request).await
/// }
/// # }
/// # fn main() {}
/// ```
#[derive(Default)]
pub struct Router {
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
    fallback: Option<Handler>,
}

/// The handlers of one path.
struct Route {
    path: String,
    methods: Vec<(Method, Handler)>,
}

impl Router {
    /// Creates a router without routes, which responds 404 to every request.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a handler for `method` at `path`. It replaces an earlier one.
    ///
    /// # Panics
    /// Panics if `path` is malformed or conflicts with another one (`/{a}` and `/{b}`).
    #[must_use]
    pub fn route<F, R>(mut self, method: Method, path: &str, handler: F) -> Self
    where
        F: AsyncHandler<R>,
    {
        let known = self.routes.iter().position(|route| route.path == path);
        let index = known.unwrap_or(self.routes.len());
        if known.is_none() {
            if let Err(error) = self.paths.insert(path, index) {
                panic!("the route {path:?} cannot be added: {error}");
            }
            self.routes.push(Route { path: path.to_owned(), methods: Vec::new() });
        }
        if let Some(route) = self.routes.get_mut(index) {
            route.methods.retain(|(known, _)| *known != method);
            route.methods.push((method, boxed(handler)));
        }
        self
    }

    /// Adds a handler for `GET` and `HEAD`; see [`route`](Self::route).
    #[must_use]
    pub fn get<R>(self, path: &str, handler: impl AsyncHandler<R>) -> Self {
        self.route(Method::GET, path, handler)
    }

    /// Adds a handler for `POST`; see [`route`](Self::route).
    #[must_use]
    pub fn post<R>(self, path: &str, handler: impl AsyncHandler<R>) -> Self {
        self.route(Method::POST, path, handler)
    }

    /// Adds a handler for `PUT`; see [`route`](Self::route).
    #[must_use]
    pub fn put<R>(self, path: &str, handler: impl AsyncHandler<R>) -> Self {
        self.route(Method::PUT, path, handler)
    }

    /// Adds a handler for `PATCH`; see [`route`](Self::route).
    #[must_use]
    pub fn patch<R>(self, path: &str, handler: impl AsyncHandler<R>) -> Self {
        self.route(Method::PATCH, path, handler)
    }

    /// Adds a handler for `DELETE`; see [`route`](Self::route).
    #[must_use]
    pub fn delete<R>(self, path: &str, handler: impl AsyncHandler<R>) -> Self {
        self.route(Method::DELETE, path, handler)
    }

    /// Sets the handler for paths without a route, in place of 404.
    #[must_use]
    pub fn fallback<R>(mut self, handler: impl AsyncHandler<R>) -> Self {
        self.fallback = Some(boxed(handler));
        self
    }

    /// Calls the handler for the method and the path of `request`.
    pub async fn handle(&self, mut request: Request) -> Response {
        let found = self.paths.at(request.path()).ok().and_then(|found| {
            let parameters = found.params.iter().map(|(key, value)| (key.to_owned(), decode(value)));
            self.routes.get(*found.value).map(|route| (route, parameters.collect()))
        });
        let Some((route, parameters)) = found else {
            return match &self.fallback {
                Some(handler) => handler(request).await,
                None => StatusCode::NOT_FOUND.into_response(),
            };
        };
        match route.handler(request.method()) {
            Some(handler) => {
                request.set_parameters(parameters);
                handler(request).await
            }
            None => route.not_allowed(),
        }
    }
}

impl Route {
    fn handler(&self, method: &Method) -> Option<&Handler> {
        let find =
            |wanted: &Method| self.methods.iter().find(|(method, _)| method == wanted).map(|(_, handler)| handler);
        find(method).or_else(|| if method == Method::HEAD { find(&Method::GET) } else { None })
    }

    fn not_allowed(&self) -> Response {
        let mut names: Vec<&str> = self.methods.iter().map(|(method, _)| method.as_str()).collect();
        if names.contains(&"GET") && !names.contains(&"HEAD") {
            names.push("HEAD");
        }
        let mut response = StatusCode::METHOD_NOT_ALLOWED.into_response();
        if let Ok(allowed) = HeaderValue::from_str(&names.join(", ")) {
            response.headers_mut().insert(ALLOW, allowed);
        }
        response
    }
}

/// Percent-decodes `value`; bytes that are not UTF-8 become U+FFFD.
fn decode(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

/// The type of a [`Router`]'s handlers: `async fn(Request) -> impl IntoResponse`, or an async closure without captures.
///
/// Implemented for all such functions; `R` only distinguishes the implementations.
pub trait AsyncHandler<R>: Send + Sync + 'static {
    /// Starts handling `request`.
    fn call(&self, request: Request) -> ResponseFuture;
}

impl<F, Fut> AsyncHandler<Fut> for F
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future + 'static,
    Fut::Output: IntoResponse,
{
    fn call(&self, request: Request) -> ResponseFuture {
        let answer = self(request);
        Box::pin(async move { answer.await.into_response() })
    }
}

fn boxed<R>(handler: impl AsyncHandler<R>) -> Handler {
    Box::new(move |request| handler.call(request))
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|route| &route.path)).finish()
    }
}
