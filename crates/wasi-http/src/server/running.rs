//! `RunningServer`: the listener, the serving threads, and what they serve.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::{join_all, select_all};
use tempo_core::{Admission, AnyComponent, AppComponent, Running};
use tempo_settings::{Error, ErrorKind};
use tempo_telemetry::Health;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use super::accept::Accepter;
use super::backlog::Backlog;
use super::components::Components;
use super::config::{Config, check_unchanged};
use super::connection::{Server, ServerPhase};
use super::listener::listen;
use super::served::{CurrentlyServed, Served};
use super::threads::ServingThread;
use crate::WasiHttp;
use crate::chain::{Chain, ChainThread};

/// How long a draining server still accepts requests on open connections before it closes idle ones.
const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// How long a drained server waits for its threads to end.
const THREAD_END_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval at which a draining server checks whether it is idle.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A running server.
pub(super) struct RunningServer {
    config: Arc<Config>,
    url: String,
    phase: watch::Sender<ServerPhase>,
    /// Stops the accepter of the current listener.
    accepting: watch::Sender<ServerPhase>,
    /// Own the listeners: the current one, and previous ones until their queues are empty.
    accepters: JoinSet<()>,
    /// Dropping them ends the threads and their connections.
    threads: Arc<[ServingThread]>,
    ends: Vec<oneshot::Receiver<()>>,
    connection_permits: Arc<Semaphore>,
    /// Those of the components, and of replaced ones that still run calls.
    admissions: Vec<Admission>,
    chain: Arc<Chain>,
    prepared: Option<Prepared>,
}

/// What the server is to serve next.
struct Prepared {
    components: Components,
    /// One for each thread.
    served: Vec<Arc<Served>>,
    /// If the address changes.
    listener: Option<TcpListener>,
    /// Those that reach the components of the server, if they are an app.
    app: Vec<AppComponent<WasiHttp>>,
}

impl RunningServer {
    /// Starts the server of `components`.
    ///
    /// # Errors
    ///
    /// The address cannot be bound, a component has no handler, or the system refuses a thread.
    pub(super) fn start(components: &Components, health: &Health) -> Result<Self, Error> {
        let config = components.config.clone();
        let listener = listen(config.address)?;
        let url = url(components, &listener)?;
        let (phase, phases) = watch::channel(ServerPhase::Serving);
        let backlog = Backlog::new(config.send_buffer);
        let (mut threads, mut ends, mut chained) = (Vec::new(), Vec::new(), Vec::new());
        for index in 0..config.threads {
            let server = Arc::new(Server {
                served: CurrentlyServed::new(components.served(None)?),
                fair_queue: Arc::default(),
                backlog: backlog.clone(),
                health: health.clone(),
                phase: phases.clone(),
            });
            let (thread, end) = ServingThread::start(index, server.clone()).map_err(Error::internal)?;
            chained.push(ChainThread::new(thread.runtime().clone(), &server));
            threads.push(thread);
            ends.push(end);
        }
        let mut running = Self {
            url,
            phase,
            accepting: watch::Sender::new(ServerPhase::Serving),
            accepters: JoinSet::new(),
            threads: threads.into(),
            ends,
            connection_permits: Arc::new(Semaphore::new(config.connections)),
            admissions: components.admissions(),
            chain: Arc::new(Chain::new(chained)),
            prepared: None,
            config,
        };
        running.accept(listener)?;
        Ok(running)
    }

    /// Lets `components` of the app reach those of the server. Components without a handler reach them too.
    pub(super) fn connect(&self, components: &[AppComponent<WasiHttp>]) {
        components.iter().for_each(|component| component.state.connect_chain(self.chain.clone()));
    }

    /// Accepts connections on `listener`, and no longer on the previous one.
    fn accept(&mut self, listener: TcpListener) -> Result<(), Error> {
        let accepter = Accepter {
            address: listener.local_addr().map_err(Error::internal)?,
            listener,
            lowered_limit: self.config.connections_lowered.then_some(self.config.connections),
            threads: self.threads.clone(),
            permits: self.connection_permits.clone(),
            phase: self.accepting.subscribe(),
        };
        self.accepters.spawn(accepter.run());
        Ok(())
    }

    fn is_quiet(&mut self) -> bool {
        while self.accepters.try_join_next().is_some() {}
        self.accepters.is_empty()
            && self.connection_permits.available_permits() == self.config.connections
            && self.admissions.iter().all(|admission| admission.running() == 0)
    }

    async fn quiet_until(&mut self, deadline: Instant) {
        while Instant::now() < deadline && !self.is_quiet() {
            tokio::time::sleep(DRAIN_POLL_INTERVAL).await;
        }
    }

    /// Prepares to serve `app`, or its only component.
    fn prepare(&mut self, mut app: Vec<AppComponent<WasiHttp>>) -> Result<Prepared, Error> {
        let settings = app.first().map(|component| component.settings.clone()).unwrap_or_default();
        let in_app = app.iter().any(|component| component.workload.app().is_some());
        let components = match (in_app, app.pop()) {
            (false, Some(only)) => Some(Components::alone(only.workload, &only.settings)?),
            (_, last) => {
                app.extend(last);
                Components::of_app(&app)?
            }
        };
        let without = || Error::new(ErrorKind::BadConfiguration, "no component is left that exports an HTTP handler");
        let components = components.ok_or_else(without)?;
        check_unchanged(&self.config, &components.config, &settings)?;
        let served = self.threads.iter().map(|thread| {
            let previous = thread.server().served.get();
            components.served(Some(&previous)).map(Arc::new)
        });
        let served = served.collect::<Result<_, _>>()?;
        let moves = components.config.address != self.config.address;
        let listener = moves.then(|| listen(components.config.address)).transpose()?;
        Ok(Prepared { components, served, listener, app })
    }
}

/// Returns the URL of the server of `components` on `listener`.
fn url(components: &Components, listener: &TcpListener) -> Result<String, Error> {
    let scheme = if components.tls.is_some() { "https" } else { "http" };
    let address = listener.local_addr().map_err(Error::internal)?;
    Ok(format!("{scheme}://{address}"))
}

#[async_trait]
impl Running for RunningServer {
    fn announcement(&self) -> String {
        format!("listening on {}", self.url)
    }

    async fn failed(&mut self) -> Error {
        let _ = select_all(&mut self.ends).await;
        Error::internal("a serving thread ended")
    }

    async fn prepare(&mut self, components: Vec<AnyComponent>) -> Result<(), Error> {
        let components: Result<Vec<_>, _> = components.into_iter().map(AnyComponent::downcast).collect();
        self.prepared = Some(RunningServer::prepare(self, components?)?);
        Ok(())
    }

    fn commit(&mut self) {
        let Some(Prepared { components, served, listener, app }) = self.prepared.take() else { return };
        self.connect(&app);
        for (thread, served) in self.threads.iter().zip(served) {
            thread.server().served.replace(&served);
        }
        self.config = components.config.clone();
        self.admissions.retain(|admission| admission.running() > 0);
        self.admissions.extend(components.admissions());
        if let Some(listener) = listener {
            // The queue of the previous listener is emptied.
            let previous = std::mem::replace(&mut self.accepting, watch::Sender::new(ServerPhase::Serving));
            let _ = previous.send(ServerPhase::Draining);
            if let Ok(url) = url(&components, &listener) {
                self.url = url;
                tracing::info!("{}", self.announcement());
            }
            if let Err(error) = self.accept(listener) {
                tracing::error!(%error, "the new address cannot be served");
            }
        }
    }

    fn roll_back(&mut self) {
        self.prepared = None;
    }

    async fn drain(mut self: Box<Self>, deadline: Instant) {
        let _ = self.accepting.send(ServerPhase::Draining);
        let _ = self.phase.send(ServerPhase::Draining);
        self.quiet_until(deadline.min(Instant::now() + DRAIN_GRACE)).await;
        let _ = self.phase.send(ServerPhase::Closing);
        self.quiet_until(deadline).await;
        // The threads drop their state before the process flushes its log, to which the state may write.
        self.accepters.abort_all();
        self.threads = Arc::new([]);
        let _ = tokio::time::timeout(THREAD_END_TIMEOUT, join_all(&mut self.ends)).await;
    }
}
