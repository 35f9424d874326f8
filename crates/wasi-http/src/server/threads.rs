//! The serving threads: one a processor, each with a single-threaded runtime of its own, so that a request is answered
//! by the thread that read it.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tempo_telemetry::Heartbeat;

use super::connection::Server;

/// How often idle instances and stalled responses are looked for, and the thread says that it goes on.
const TIDY: Duration = Duration::from_millis(500);

/// A connection on its way to a thread.
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    /// Its place among the connections.
    pub(crate) place: OwnedSemaphorePermit,
    /// False: it is above the limit and only told so.
    pub(crate) admitted: bool,
}

/// A serving thread, seen from outside. It ends when this is dropped.
pub(crate) struct Thread {
    connections: mpsc::UnboundedSender<Accepted>,
    open: Arc<AtomicUsize>,
}

impl Thread {
    /// Starts a thread that serves with `server`. The receiver resolves when the thread has ended.
    pub(crate) fn start(server: Server) -> std::io::Result<(Self, oneshot::Receiver<()>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // Bounded by the places among the connections that the accepter gives out.
        let (connections, mut accepted) = mpsc::unbounded_channel::<Accepted>();
        let open = Arc::new(AtomicUsize::new(0));
        let (ended, end) = oneshot::channel();
        let counter = open.clone();
        let pulse = server.worker.workload.health().heartbeat("a thread that serves HTTP");
        std::thread::Builder::new().name("tempo-http".to_owned()).spawn(move || {
            let _ended = ended;
            runtime.block_on(async move {
                let server = Arc::new(server);
                let tidy = tokio::spawn(tidy(server.clone(), pulse));
                while let Some(connection) = accepted.recv().await {
                    tokio::spawn(serve(server.clone(), connection, counter.clone()));
                }
                tidy.abort();
            });
        })?;
        Ok((Self { connections, open }, end))
    }

    /// How many connections the thread has.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Hands a connection over.
    pub(crate) fn give(&self, connection: Accepted) {
        self.open.fetch_add(1, Relaxed);
        // A thread that has ended drops the connection; `failed` reports the thread.
        let _ = self.connections.send(connection);
    }
}

async fn serve(server: Arc<Server>, connection: Accepted, open: Arc<AtomicUsize>) {
    let _place = connection.place;
    match tokio::net::TcpStream::from_std(connection.stream) {
        Ok(stream) => server.serve(stream, connection.admitted).await,
        Err(error) => tracing::error!(%error, "a connection cannot be served"),
    }
    open.fetch_sub(1, Relaxed);
}

async fn tidy(server: Arc<Server>, pulse: Heartbeat) {
    let mut interval = tokio::time::interval(TIDY);
    loop {
        interval.tick().await;
        pulse.beat();
        server.worker.tidy();
    }
}
