//! HTTP for the crate `object_store`, on hyper and rustls with ring, like the rest of the workspace.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::uri::Scheme;
use http::{HeaderValue, header};
use http_body_util::BodyExt as _;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{ClientConfigKey, ClientOptions};
use rustls::ClientConfig;

/// Timeout of the TCP connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout from the start of a request, connecting included, to the head of its response: sending a large part takes time.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// Creates clients for the crate `object_store`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Connector {
    /// True if the client adds `If-None-Match: *` to each request. The header is not signed, as in `object_store`
    /// itself.
    pub(super) only_new: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allow_http = options.get_config_value(&ClientConfigKey::AllowHttp).is_some_and(|value| value == "true");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| object_store::Error::Generic { store: "http", source: error.into() })?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut tcp = Tcp::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        tcp.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(HttpsConnector::from((tcp, tls)));
        Ok(HttpClient::new(Http { client, allow_http, only_new: self.only_new }))
    }
}

struct Http {
    client: Client<HttpsConnector<Tcp>, HttpRequestBody>,
    /// Whether requests without TLS are allowed.
    allow_http: bool,
    only_new: bool,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

#[async_trait]
impl HttpService for Http {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if !self.allow_http && request.uri().scheme() != Some(&Scheme::HTTPS) {
            let error = std::io::Error::other("http without encryption is not allowed: allow_http=true allows it");
            return Err(HttpError::new(HttpErrorKind::Connect, error));
        }
        if self.only_new {
            request.headers_mut().insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        let answer = tokio::time::timeout(RESPONSE_TIMEOUT, self.client.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let answer = answer.map_err(|error| HttpError::new(kind(&error), error))?;
        let torn = |error| HttpError::new(HttpErrorKind::Interrupted, error);
        Ok(answer.map(|body| HttpResponseBody::new(body.map_err(torn))))
    }
}

fn kind(error: &ClientError) -> HttpErrorKind {
    if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request }
}
