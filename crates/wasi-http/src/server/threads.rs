//! The serving threads: one per processor, each with a current-thread runtime, so that the thread that reads a request
//! also answers it.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tempo_telemetry::Heartbeat;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::connection::Server;
use super::thread_load::ThreadLoad;
use crate::chain::enter_serving_thread;

/// Interval at which a thread drops expired instances, ends stalled responses, and sends a heartbeat.
const MAINTENANCE_INTERVAL: Duration = Duration::from_millis(500);

/// A connection assigned to a thread.
pub(crate) struct AcceptedConnection {
    pub(crate) stream: TcpStream,
    /// Its permit among the connections.
    pub(crate) permit: OwnedSemaphorePermit,
    /// False if it exceeds the limit: its requests get 503.
    pub(crate) admitted: bool,
}

/// Handle of a serving thread. Dropping it ends the thread.
pub(crate) struct ServingThread {
    connections: mpsc::UnboundedSender<AcceptedConnection>,
    load: Arc<ThreadLoad>,
    runtime: Handle,
    server: Arc<Server>,
}

impl ServingThread {
    /// Starts the thread number `index`, which serves with `server`. The receiver resolves when the thread has ended.
    pub(crate) fn start(index: usize, server: Arc<Server>) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        // Bounded by the permits of the accepter.
        let (connections, mut accepted) = mpsc::unbounded_channel::<AcceptedConnection>();
        let load = Arc::new(ThreadLoad::default());
        let (ended, end) = oneshot::channel();
        let counted = load.clone();
        let served = server.clone();
        let heartbeat = server.health.heartbeat("a thread that serves HTTP");
        std::thread::Builder::new().name("tempo-http".to_owned()).spawn(move || {
            let _ended = ended;
            enter_serving_thread(index);
            runtime.block_on(async move {
                let maintain = tokio::spawn(maintain(server.clone(), heartbeat));
                let turns = tokio::spawn({
                    let queue = server.fair_queue.clone();
                    async move { queue.run().await }
                });
                while let Some(connection) = accepted.recv().await {
                    counted.accepted();
                    tokio::spawn(serve(server.clone(), connection, counted.clone()));
                }
                maintain.abort();
                turns.abort();
            });
            // Ends the connections.
            drop(runtime);
        })?;
        Ok((Self { connections, load, runtime: handle, server: served }, end))
    }

    /// Returns the handle of the thread's runtime.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Returns what the thread serves.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.server
    }

    /// Returns the connections of the thread, in numbers.
    pub(crate) fn load(&self) -> &ThreadLoad {
        &self.load
    }

    /// Assigns a connection to the thread.
    pub(crate) fn assign(&self, connection: AcceptedConnection) {
        self.load.assigned();
        // If the thread has ended, the connection is dropped; `failed` reports the thread.
        let _ = self.connections.send(connection);
    }
}

async fn serve(server: Arc<Server>, connection: AcceptedConnection, load: Arc<ThreadLoad>) {
    let _permit = connection.permit;
    match tokio::net::TcpStream::from_std(connection.stream) {
        Ok(stream) => server.serve(stream, connection.admitted).await,
        Err(error) => tracing::error!(%error, "a connection cannot be served"),
    }
    load.closed();
}

async fn maintain(server: Arc<Server>, heartbeat: Heartbeat) {
    let mut interval = tokio::time::interval(MAINTENANCE_INTERVAL);
    loop {
        interval.tick().await;
        heartbeat.beat();
        server.served.maintain();
        server.fair_queue.maintain();
    }
}
