//! Accepts connections and hands each to the thread that has the fewest.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tempo_telemetry::AcceptErrors;

use super::connection::Phase;
use super::threads::{Accepted, Thread};

/// Connections above the limit that are told so at the same time; more wait in the system's queue.
pub(crate) const TURNED_AWAY: usize = 64;
/// After the system has refused to accept, for example because the process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// Hands out connections.
pub(crate) struct Accepter {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// How many connections there may be, if that is fewer than the default.
    pub(crate) few: Option<usize>,
    pub(crate) threads: Arc<[Thread]>,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) phase: watch::Receiver<Phase>,
}

impl Accepter {
    /// Accepts until the server stops, and then what the system had already accepted for it.
    pub(crate) async fn run(mut self) {
        if let Some(most) = self.few {
            tracing::warn!("--max-connections is {most}: the limit on open files (ulimit -n) allows no more");
        }
        let mut errors = AcceptErrors::default();
        let overflow = Arc::new(Semaphore::new(TURNED_AWAY));
        while *self.phase.borrow() == Phase::Serving {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => self.give(stream, &overflow).await,
                    Err(error) => {
                        errors.log(&self.address, &error);
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                _ = self.phase.changed() => {}
            }
        }
        while let Some(Ok((stream, _))) = futures::FutureExt::now_or_never(self.listener.accept()) {
            self.give(stream, &overflow).await;
        }
    }

    async fn give(&self, stream: TcpStream, overflow: &Arc<Semaphore>) {
        let (place, admitted) = match self.places.clone().try_acquire_owned() {
            Ok(place) => (Ok(place), true),
            Err(_) => (overflow.clone().acquire_owned().await, false),
        };
        let thread = self.threads.iter().min_by_key(|thread| thread.open());
        if let (Ok(place), Ok(stream), Some(thread)) = (place, stream.into_std(), thread) {
            thread.give(Accepted { stream, place, admitted });
        }
    }
}
