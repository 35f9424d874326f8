//! The incoming request, which fetches from the host only what it is asked for.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use http::uri::{Parts, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Uri};
use wasip3::http::types;

use crate::incoming::Message;
use crate::{Body, Error, fields};

/// A request to the component.
///
/// Method, target and headers are fetched from the host when they are asked for first, and kept. To work with the type of the
/// `http` crate instead, call [`into_http`](Self::into_http) or let the handler take an `http::Request<Body>`.
pub struct Request {
    source: Source,
    method: OnceCell<Method>,
    target: OnceCell<PathAndQuery>,
    headers: OnceCell<HeaderMap>,
    parameters: Vec<(String, String)>,
}

enum Source {
    Host(types::Request),
    Built(Uri, Box<Body>),
}

/// A type that a handler may take as its argument.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}`",
    label = "not a request",
    note = "take `tempo_sdk_http::Request` or `http::Request<tempo_sdk_http::Body>`, and read the rest from it"
)]
pub trait FromRequest {
    /// Makes the argument.
    fn from_request(request: Request) -> Self;
}

impl FromRequest for Request {
    fn from_request(request: Request) -> Self {
        request
    }
}

impl FromRequest for http::Request<Body> {
    fn from_request(request: Request) -> Self {
        request.into_http()
    }
}

impl Request {
    pub(crate) fn from_host(request: types::Request) -> Self {
        Self {
            source: Source::Host(request),
            method: OnceCell::new(),
            target: OnceCell::new(),
            headers: OnceCell::new(),
            parameters: Vec::new(),
        }
    }

    /// The method. One that is no token, which no host passes on, reads as `GET`.
    pub fn method(&self) -> &Method {
        self.method.get_or_init(|| match &self.source {
            Source::Host(request) => request.get_method().try_into().unwrap_or_default(),
            Source::Built(..) => Method::GET,
        })
    }

    /// The path, percent-encoded as it was sent: `/` at least.
    pub fn path(&self) -> &str {
        self.target().path()
    }

    /// The query without its `?`, as it was sent.
    pub fn query(&self) -> Option<&str> {
        self.target().query()
    }

    /// The first value of `name` in the query, decoded.
    ///
    /// ```
    /// use tempo_sdk_http::{Body, Request};
    ///
    /// let request = Request::from(http::Request::get("/greet?lang=d%65&x=1").body(Body::empty())?);
    /// assert_eq!(request.query_value("lang").as_deref(), Some("de"));
    /// assert_eq!(request.query_value("name"), None);
    /// # Ok::<(), http::Error>(())
    /// ```
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut pairs = form_urlencoded::parse(self.query()?.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The value of a `{name}` in the path of the route that [`Router`](crate::Router) chose, decoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set_parameters(&mut self, parameters: Vec<(String, String)>) {
        self.parameters = parameters;
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.headers.get_or_init(|| match &self.source {
            Source::Host(request) => fields::from_host(&request.get_headers()),
            Source::Built(..) => HeaderMap::new(),
        })
    }

    /// The whole target: with scheme and authority where the host knows them.
    pub fn uri(&self) -> Uri {
        let request = match &self.source {
            Source::Host(request) => request,
            Source::Built(uri, _) => return uri.clone(),
        };
        let mut parts = Parts::default();
        parts.path_and_query = Some(self.target().clone());
        let relative = Uri::from(self.target().clone());
        let authority = request.get_authority().and_then(|authority| authority.parse().ok());
        if let Some(authority) = authority {
            let scheme = request.get_scheme().and_then(|scheme| scheme.try_into().ok());
            parts.scheme = Some(scheme.unwrap_or(Scheme::HTTP));
            parts.authority = Some(authority);
        }
        Uri::from_parts(parts).unwrap_or(relative)
    }

    /// The body. What was not asked for before is given up.
    pub fn into_body(self) -> Body {
        match self.source {
            Source::Host(request) => Body::incoming(Message::Request(request)),
            Source::Built(_, body) => *body,
        }
    }

    /// The type of the `http` crate, with everything fetched. Parameters of the route are given up.
    pub fn into_http(mut self) -> http::Request<Body> {
        self.method();
        self.headers();
        let mut head = http::Request::new(());
        *head.uri_mut() = self.uri();
        *head.method_mut() = self.method.take().unwrap_or_default();
        *head.headers_mut() = self.headers.take().unwrap_or_default();
        head.map(|()| self.into_body())
    }

    /// Reads the whole body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest), which answers 400, when it is not a `T`; when the body broke
    /// off.
    #[cfg(feature = "json")]
    pub async fn json<T: serde::de::DeserializeOwned>(self) -> Result<T, Error> {
        crate::json::decode(&self.into_body().bytes().await?, crate::ErrorKind::BadRequest)
    }

    /// Reads the whole body as UTF-8 text.
    ///
    /// # Errors
    /// As [`Body::text`].
    pub async fn text(self) -> Result<String, Error> {
        self.into_body().text().await
    }

    fn target(&self) -> &PathAndQuery {
        self.target.get_or_init(|| match &self.source {
            Source::Host(request) => request
                .get_path_with_query()
                .and_then(|target| PathAndQuery::from_maybe_shared(target.into_bytes()).ok())
                .unwrap_or_else(root),
            Source::Built(uri, _) => uri.path_and_query().cloned().unwrap_or_else(root),
        })
    }
}

/// The target of a request that names none.
fn root() -> PathAndQuery {
    PathAndQuery::from_static("/")
}

/// For tests of handlers, and for code that has a request of the `http` crate already.
impl From<http::Request<Body>> for Request {
    fn from(request: http::Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: OnceCell::from(parts.method),
            target: OnceCell::new(),
            headers: OnceCell::from(parts.headers),
            source: Source::Built(parts.uri, Box::new(body)),
            parameters: Vec::new(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", self.method()).field("target", self.target()).finish_non_exhaustive()
    }
}
