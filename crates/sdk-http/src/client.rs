//! `Client`: outgoing requests.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};

use crate::task::timeout;
use crate::{Body, Error, ErrorKind, Response, send};

/// Sends a `GET` request.
///
/// ```no_run
/// # async fn example() -> Result<(), tempo_sdk_http::Error> {
/// let page = tempo_sdk_http::get("https://example.com/").await?.into_body().text().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`RequestBuilder::send`].
pub async fn get(url: impl AsRef<str>) -> Result<Response, Error> {
    Client::new().get(url).send().await
}

/// Sends a `POST` request with `body`.
///
/// # Errors
/// As [`RequestBuilder::send`].
pub async fn post(url: impl AsRef<str>, body: impl Into<Body>) -> Result<Response, Error> {
    Client::new().post(url).body(body).send().await
}

/// The common options of requests: their time limits.
///
/// The host manages connections, their reuse and TLS, so a client is cheap to create. The client does not follow
/// redirects: they may lead to addresses that the host does not allow.
#[derive(Clone, Debug, Default)]
pub struct Client {
    limits: TimeLimits,
}

/// Time limits. The host's limits apply where none is set, and where they are shorter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeLimits {
    pub(crate) total: Option<Duration>,
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) between_bytes: Option<Duration>,
}

/// A request under construction. [`send`](Self::send) reports the errors of the other methods.
#[derive(Debug)]
pub struct RequestBuilder {
    request: Result<http::Request<Body>, Error>,
    limits: TimeLimits,
}

impl Client {
    /// Creates a client with the host's time limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limit of each request from [`send`](RequestBuilder::send) to the head of the response.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.total = Some(limit);
        self
    }

    /// Sets the limit for establishing a connection.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = Some(limit);
        self
    }

    /// Begins a `GET` request to an absolute `http:` or `https:` URL.
    pub fn get(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::GET, url)
    }

    /// Begins a `POST` request.
    pub fn post(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::POST, url)
    }

    /// Begins a `PUT` request.
    pub fn put(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::PUT, url)
    }

    /// Begins a `DELETE` request.
    pub fn delete(&self, url: impl AsRef<str>) -> RequestBuilder {
        self.request(Method::DELETE, url)
    }

    /// Begins a request with any method.
    pub fn request(&self, method: Method, url: impl AsRef<str>) -> RequestBuilder {
        let request = address(url.as_ref()).map(|uri| {
            let mut request = http::Request::new(Body::empty());
            *request.method_mut() = method;
            *request.uri_mut() = uri;
            request
        });
        RequestBuilder { request, limits: self.limits }
    }

    /// Sends a request of the `http` crate, for example to forward an incoming one.
    ///
    /// # Errors
    /// As [`RequestBuilder::send`].
    pub async fn send<B: Into<Body>>(&self, request: http::Request<B>) -> Result<Response, Error> {
        let request = Ok(request.map(Into::into));
        RequestBuilder { request, limits: self.limits }.send().await
    }
}

fn address(url: &str) -> Result<Uri, Error> {
    let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| {
        Error::new(ErrorKind::InvalidRequest, format!("{url:?} is not a URL")).with_source(error)
    })?;
    match uri.scheme_str() {
        Some("http" | "https") => Ok(uri),
        _ => Err(Error::new(ErrorKind::InvalidRequest, format!("{url:?} does not begin with http:// or https://"))),
    }
}

impl RequestBuilder {
    /// Adds a header.
    #[must_use]
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Into<http::Error>>,
        V: TryInto<HeaderValue, Error: Into<http::Error>>,
    {
        self.request = self.request.and_then(|mut request| {
            let invalid = |error: http::Error| Error::new(ErrorKind::InvalidRequest, format!("not a header: {error}"));
            let name = name.try_into().map_err(|error| invalid(error.into()))?;
            let value = value.try_into().map_err(|error| invalid(error.into()))?;
            request.headers_mut().append(name, value);
            Ok(request)
        });
        self
    }

    /// Sets the body: bytes, text, or a stream as a [`Body`].
    #[must_use]
    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.request = self.request.map(|request| request.map(|_| body.into()));
        self
    }

    /// Sets the body to `value` as JSON, and the `content-type`.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json(mut self, value: &impl serde::Serialize) -> Self {
        self.request = self.request.and_then(|request| {
            let body = crate::json::encode(value)?;
            let mut request = request.map(|_| Body::from(body));
            let kind = HeaderValue::from_static("application/json");
            request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
            Ok(request)
        });
        self
    }

    /// Sets the limit from [`send`](Self::send) to the head of the response.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limits.total = Some(limit);
        self
    }

    /// Sets the limit for establishing a connection.
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.limits.connect = Some(limit);
        self
    }

    /// Sets the limit from the request to the first byte of the response.
    #[must_use]
    pub fn first_byte_timeout(mut self, limit: Duration) -> Self {
        self.limits.first_byte = Some(limit);
        self
    }

    /// Sets the limit between two chunks of the response's body.
    #[must_use]
    pub fn between_bytes_timeout(mut self, limit: Duration) -> Self {
        self.limits.between_bytes = Some(limit);
        self
    }

    /// Sends the request and waits for the head of the response; the body streams. Every status is a response, not an
    /// error.
    ///
    /// # Errors
    /// Returns an error if the request is malformed, the host does not allow it ([`ErrorKind::Denied`]), or the server
    /// does not respond.
    pub async fn send(self) -> Result<Response, Error> {
        let request = self.request?;
        let sent = send::send(request, self.limits);
        match self.limits.total {
            Some(limit) => timeout(limit, sent).await,
            None => sent.await,
        }
    }
}
