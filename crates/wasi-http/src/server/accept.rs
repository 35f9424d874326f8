//! Accepts connections and assigns each to the least loaded serving thread.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempo_telemetry::AcceptErrors;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::connection::ServerPhase;
use super::threads::{AcceptedConnection, ServingThread};

/// Connections above the limit that are answered with 503 at once; further ones wait in the listen queue.
pub(crate) const MAX_REJECTING_CONNECTIONS: usize = 64;
/// Delay after a failed `accept`, for example when the process has no file descriptor left.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);

/// Assigns connections to serving threads.
pub(crate) struct Accepter {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// The limit on connections, if it is below the default.
    pub(crate) lowered_limit: Option<usize>,
    pub(crate) threads: Arc<[ServingThread]>,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) phase: watch::Receiver<ServerPhase>,
}

impl Accepter {
    /// Accepts until the server drains, then drains the listen queue.
    pub(crate) async fn run(mut self) {
        if let Some(limit) = self.lowered_limit {
            tracing::warn!("--max-connections is {limit}: the limit on open files (ulimit -n) allows no more");
        }
        let mut errors = AcceptErrors::default();
        let rejection_permits = Arc::new(Semaphore::new(MAX_REJECTING_CONNECTIONS));
        while *self.phase.borrow() == ServerPhase::Serving {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.assign(stream, &rejection_permits).await,
                    Err(error) => {
                        errors.log(&self.address, &error);
                        tokio::time::sleep(ACCEPT_RETRY_DELAY).await;
                    }
                },
                _ = self.phase.changed() => {}
            }
        }
        while let Some(Ok((stream, _))) = futures::FutureExt::now_or_never(self.listener.accept()) {
            self.assign(stream, &rejection_permits).await;
        }
    }

    async fn assign(&self, stream: TcpStream, rejection_permits: &Arc<Semaphore>) {
        let (permit, admitted) = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => (Ok(permit), true),
            Err(_) => (rejection_permits.clone().acquire_owned().await, false),
        };
        let thread = self.threads.iter().min_by_key(|thread| thread.load().rank());
        if let (Ok(permit), Ok(stream), Some(thread)) = (permit, stream.into_std(), thread) {
            thread.assign(AcceptedConnection { stream, permit, admitted });
        }
    }
}
