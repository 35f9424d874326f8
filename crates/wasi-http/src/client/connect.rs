//! `Connector`: opens connections for the pool, after checking their address.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tempo_core::Resolver;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_service::Service;

use super::config::ClientConfig;
use super::dial::dial;
use super::error::ConnectError;
use super::stream::Stream;
use super::tls::Tls;
use crate::egress::{Denied, Policy, Scheme};

/// Opens connections for the pool.
///
/// The pool is keyed by scheme and authority, with normalised hosts. The permitted addresses depend on these two and on
/// the client's policy alone, so a request never gets a connection to an address that it could not have opened itself.
#[derive(Clone)]
pub(super) struct Connector {
    policy: Policy,
    tls: Tls,
    budget: Duration,
    connections: Arc<Semaphore>,
    resolver: Resolver,
}

impl Connector {
    pub(super) fn new(policy: Policy, config: &ClientConfig) -> tempo_settings::Result<Self> {
        Ok(Self {
            policy,
            tls: Tls::new(&config.ca_files, config.tls_timeout)?,
            budget: config.connect_timeout,
            connections: Arc::new(Semaphore::new(config.max_connections.min(Semaphore::MAX_PERMITS))),
            resolver: Resolver::new(config.max_lookups),
        })
    }

    async fn connect(&self, uri: &Uri) -> Result<TokioIo<Stream>, ConnectError> {
        let target = self.policy.permit_origin(uri).map_err(|denied| match denied {
            Denied::Address { .. } => ConnectError::AddressDenied,
            _ => ConnectError::Denied,
        })?;
        let permit = timeout(self.budget, Arc::clone(&self.connections).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Err(ConnectError::Limit) };
        let stream = dial(&target, &self.resolver, self.budget).await?;
        Ok(TokioIo::new(match target.scheme() {
            Scheme::Http => Stream::plain(stream, target.has_prior_knowledge(), permit),
            Scheme::Https => Stream::tls(self.tls.handshake(&target, stream).await?, permit),
        }))
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move { connector.connect(&uri).await })
    }
}
