//! Serves a [`tower_service::Service`], and makes [`Client`] one, for frameworks over tower such as tonic.
//!
//! gRPC needs HTTP/2. The host serves it to clients that ask for it, and sends requests by HTTP/2 to servers that negotiate
//! it over TLS. For a server without TLS, the host's operator grants HTTP/2 (`tempo run --allow-http h2c://HOST:PORT`).
//! Depend on tonic with `default-features = false` and the feature `codegen`: its own transport needs sockets and threads.
//! `guests/grpc` of the repository is a whole component.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tower_service::Service;

use crate::{Body, Client, Error, IntoResponse, Request, Response};

/// Serves `request` with `service`, which must be ready.
///
/// ```
/// # mod guest {
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use tempo_sdk_http::{Body, Request, Response, http};
///
/// struct Hello;
///
/// impl tower_service::Service<http::Request<Body>> for Hello {
///     type Response = Response;
///     type Error = Infallible;
///     type Future = Ready<Result<Response, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, request: http::Request<Body>) -> Self::Future {
///         ready(Ok(Response::new(Body::from(format!("You requested {}\n", request.uri().path())))))
///     }
/// }
///
/// #[tempo_sdk_http::handler]
/// async fn main(request: Request) -> Result<Response, Infallible> {
///     tempo_sdk_http::tower::serve(Hello, request).await
/// }
/// # }
/// # fn main() {}
/// ```
///
/// # Errors
/// The error of `service`.
pub async fn serve<S, B>(mut service: S, request: Request) -> Result<Response, S::Error>
where
    S: Service<http::Request<Body>, Response = http::Response<B>>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    Ok(service.call(request.into_http()).await?.map(Body::new).into_response())
}

/// Sends requests as [`Client::send`] does. A clone is a service of its own.
impl<B> Service<http::Request<B>> for Client
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = Response;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let client = self.clone();
        Box::pin(async move { client.send(request.map(Body::new)).await })
    }
}
