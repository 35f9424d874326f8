//! `Request`: the incoming request, which fetches its parts from the host on first access.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;

use http::uri::{Parts, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Uri};
use wasip3::http::types;

use crate::incoming::HostMessage;
use crate::{Body, Error, fields};

/// An incoming request.
///
/// The method, the target and the headers are fetched from the host on first access, and cached. To use the type of the
/// `http` crate, call [`into_http`](Self::into_http), or let the handler take an `http::Request<Body>`.
pub struct Request {
    source: RequestSource,
    method: OnceCell<Method>,
    target: OnceCell<PathAndQuery>,
    headers: OnceCell<HeaderMap>,
    parameters: Vec<(String, String)>,
}

enum RequestSource {
    Host(types::Request),
    Built(Uri, Box<Body>),
}

/// The type of a handler's argument.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}`",
    label = "not a request",
    note = "take `tempo_sdk_http::Request` or `http::Request<tempo_sdk_http::Body>`, and read the rest from it"
)]
pub trait FromRequest {
    /// Converts the request to the argument.
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
            source: RequestSource::Host(request),
            method: OnceCell::new(),
            target: OnceCell::new(),
            headers: OnceCell::new(),
            parameters: Vec::new(),
        }
    }

    /// Returns the method. A method that is not a token, which no host passes on, reads as `GET`.
    pub fn method(&self) -> &Method {
        self.method.get_or_init(|| match &self.source {
            RequestSource::Host(request) => request.get_method().try_into().unwrap_or_default(),
            RequestSource::Built(..) => Method::GET,
        })
    }

    /// Returns the path, percent-encoded as received; at least `/`.
    pub fn path(&self) -> &str {
        self.target().path()
    }

    /// Returns the query without its `?`, percent-encoded as received.
    pub fn query(&self) -> Option<&str> {
        self.target().query()
    }

    /// Returns the first value of `name` in the query, decoded.
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

    /// Returns the value of the path parameter `{name}` of the [`Router`](crate::Router)'s route, decoded.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn set_parameters(&mut self, parameters: Vec<(String, String)>) {
        self.parameters = parameters;
    }

    /// Returns the headers.
    pub fn headers(&self) -> &HeaderMap {
        self.headers.get_or_init(|| match &self.source {
            RequestSource::Host(request) => fields::from_host(&request.get_headers()),
            RequestSource::Built(..) => HeaderMap::new(),
        })
    }

    /// Returns the target, with scheme and authority if the host provides them.
    pub fn uri(&self) -> Uri {
        let request = match &self.source {
            RequestSource::Host(request) => request,
            RequestSource::Built(uri, _) => return uri.clone(),
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

    /// Converts to the body. Parts that were not accessed before are dropped.
    pub fn into_body(self) -> Body {
        // Fetching the headers for the length would cost more than it saves.
        let length = self.headers.get().and_then(fields::length);
        self.into_body_of(length)
    }

    fn into_body_of(self, length: Option<u64>) -> Body {
        match self.source {
            RequestSource::Host(request) => Body::incoming(HostMessage::Request(request), length),
            RequestSource::Built(_, body) => *body,
        }
    }

    /// Converts to the type of the `http` crate, with all parts fetched. The route's parameters are dropped.
    pub fn into_http(mut self) -> http::Request<Body> {
        self.method();
        let length = fields::length(self.headers());
        let mut head = http::Request::new(());
        *head.uri_mut() = self.uri();
        *head.method_mut() = self.method.take().unwrap_or_default();
        *head.headers_mut() = self.headers.take().unwrap_or_default();
        head.map(|()| self.into_body_of(length))
    }

    /// Reads the whole body as JSON.
    ///
    /// # Errors
    /// Returns [`ErrorKind::BadRequest`](crate::ErrorKind::BadRequest), with the response 400, if the body is not the
    /// JSON of a `T`, and an error if the body is aborted.
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
            RequestSource::Host(request) => request
                .get_path_with_query()
                .and_then(|target| PathAndQuery::from_maybe_shared(target.into_bytes()).ok())
                .unwrap_or_else(root),
            RequestSource::Built(uri, _) => uri.path_and_query().cloned().unwrap_or_else(root),
        })
    }
}

/// Returns the target of a request without one.
fn root() -> PathAndQuery {
    PathAndQuery::from_static("/")
}

/// For tests of handlers, and for code that already has a request of the `http` crate.
impl From<http::Request<Body>> for Request {
    fn from(request: http::Request<Body>) -> Self {
        let (parts, body) = request.into_parts();
        Self {
            method: OnceCell::from(parts.method),
            target: OnceCell::new(),
            headers: OnceCell::from(parts.headers),
            source: RequestSource::Built(parts.uri, Box::new(body)),
            parameters: Vec::new(),
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", self.method()).field("target", self.target()).finish_non_exhaustive()
    }
}
