//! Connections to a collector, with or without TLS.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tempo_settings::Reloadable;
use tokio::net::TcpStream;
use tower_service::Service;

/// Maximum age of the loaded certificates. A connection after that checks their files.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Opens connections, with TLS if configured.
#[derive(Clone)]
pub(crate) struct Connector {
    tcp: HttpConnector,
    tls: Option<Reloadable<ClientConfig>>,
}

impl Connector {
    pub(crate) fn new(tls: Option<Reloadable<ClientConfig>>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        Self { tcp, tls }
    }
}

type Error = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (mut tcp, tls) = (self.tcp.clone(), self.tls.clone());
        Box::pin(async move {
            match tls {
                // The current certificates, which may have been renewed since the last connection.
                Some(tls) => HttpsConnector::from((tcp, tls.current(MAX_AGE).await)).call(uri).await,
                None => Ok(MaybeHttpsStream::Http(tcp.call(uri).await?)),
            }
        })
    }
}
