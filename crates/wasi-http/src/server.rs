//! The HTTP server: a trigger for components that export a `wasi:http` handler.

mod accept;
mod activity;
mod backlog;
mod bodiless;
mod body;
mod body_fault;
mod check;
mod config;
mod connection;
mod exchange;
mod fields;
mod flow;
mod guest;
mod half_close;
mod metrics;
mod quiescence;
mod reply;
mod request;
mod route;
mod router;
mod send_rate;
mod send_watch;
mod telemetry;
mod threads;
mod tls;
mod transport;
mod turn;
mod upload;
mod watchdog;
mod worker;
mod workers;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::{join_all, select_all};
use tempo_core::{AppCheck, AppComponent, ComponentOutline, Running, Trigger, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

#[cfg(feature = "fuzzing")]
pub(crate) use self::{bodiless::content_length, fields::receive};

pub(crate) use self::body::{Content, Stream};
pub(crate) use self::request::{Source as RequestSource, handle};
pub(crate) use self::telemetry::begin as begin_span;
pub(crate) use self::worker::Worker;

use self::accept::Accepter;
use self::backlog::Backlog;
use self::config::{Config, max_body};
use self::connection::{Server, ServerPhase};
use self::route::Route;
use self::router::Router;
use self::threads::ServingThread;
use self::tls::Tls;
use self::workers::{Entry, Workers};
use crate::chain::{Chain, ChainThread};
use crate::handlers::Handlers;
use crate::{HttpCtx, WasiHttp};

/// Length of the listen queue, in connections.
const LISTEN_BACKLOG: u32 = 1024;
/// How long a draining server still accepts requests on open connections before it closes idle ones.
const DRAIN_GRACE: Duration = Duration::from_millis(500);
/// How long a drained server waits for its threads to end.
const THREAD_END_TIMEOUT: Duration = Duration::from_secs(1);
/// Interval at which a draining server checks whether it is idle.
const DRAIN_POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The trigger that serves HTTP/1.1 and HTTP/2 to components that export `wasi:http/handler` (0.3) or
/// `wasi:http/incoming-handler` (0.2).
#[derive(Clone, Copy, Debug)]
pub struct HttpServer;

#[async_trait]
impl Trigger for HttpServer {
    type Service = WasiHttp;

    const EXPORTS: &'static [&'static str] = &["wasi:http/incoming-handler", "wasi:http/handler"];

    fn flags() -> Vec<Flag> {
        Config::FLAGS.to_vec()
    }

    async fn start(workload: Workload, settings: &Settings, _: HttpCtx) -> tempo_settings::Result<Box<dyn Running>> {
        let config = Arc::new(Config::from_settings(settings)?);
        let (max_body, routes) = (max_body(settings)?, check::routes(settings)?);
        let component = ServedComponent { workload, max_body, routes, middleware: check::without_app(settings)? };
        let served = start(&config, vec![component], false)?;
        Ok(Box::new(served.running))
    }

    fn check(app: &[ComponentOutline<'_>]) -> AppCheck {
        check::check(app)
    }

    async fn start_app(components: Vec<AppComponent<WasiHttp>>) -> tempo_settings::Result<Vec<Box<dyn Running>>> {
        let exporting: Vec<_> = components.iter().filter(|component| component.exports).collect();
        let Some(first) = exporting.first() else { return Ok(Vec::new()) };
        let config = Arc::new(Config::from_settings(&first.settings)?);
        let served = exporting.into_iter().map(|component| {
            let (max_body, routes) = (max_body(&component.settings)?, check::routes(&component.settings)?);
            let middleware = check::middleware(&component.settings)?;
            Ok(ServedComponent { workload: component.workload.clone(), max_body, routes, middleware })
        });
        let served = start(&config, served.collect::<Result<_, Error>>()?, true)?;
        // Components without a handler reach the others too.
        components.iter().for_each(|component| component.state.connect_chain(served.chain.clone()));
        Ok(vec![Box::new(served.running)])
    }
}

/// A component to serve.
struct ServedComponent {
    workload: Workload,
    /// In bytes.
    max_body: u64,
    routes: Vec<Route>,
    /// The names of the components that get its requests first.
    middleware: Vec<String>,
}

/// A server that has started.
struct StartedServer {
    running: RunningServer,
    chain: Arc<Chain>,
}

/// Starts the server of `components`, of which there is at least one. In an app, a component without routes gets no requests
/// from clients.
fn start(config: &Arc<Config>, components: Vec<ServedComponent>, in_app: bool) -> Result<StartedServer, Error> {
    let tls = config.tls.as_ref().map(|(cert, key)| Tls::load(cert, key)).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listener = listen(config.address)?;
    let address = listener.local_addr().map_err(Error::internal)?;
    let (phase, phases) = watch::channel(ServerPhase::Serving);
    let backlog = Backlog::new(config.send_buffer);
    let routes = components
        .iter()
        .enumerate()
        .flat_map(|(index, component)| component.routes.iter().map(move |route| (route.clone(), index)));
    let routes: Vec<_> = routes.collect();
    let (entries, handlers) = entries(&components);
    let router = (in_app || !routes.is_empty()).then(|| Arc::new(Router::new(routes)));
    let (mut threads, mut end_pair, mut chained) = (Vec::new(), Vec::new(), Vec::new());
    for index in 0..config.threads {
        let workers = components
            .iter()
            .map(|component| Worker::new(component.workload.clone(), config.clone(), component.max_body).map(Arc::new));
        let workers = workers.collect::<wasmtime::Result<Vec<_>>>().map_err(Error::internal)?;
        check::check_middleware(&components, &workers)?;
        let server = Server::new(
            (config.clone(), Workers::new(workers.clone(), router.clone(), entries.clone(), in_app)),
            (backlog.clone(), tls.clone(), phases.clone()),
        )?;
        let (thread, end) = ServingThread::start(index, server).map_err(Error::internal)?;
        chained.push(ChainThread::new(thread.runtime().clone(), &workers));
        threads.push(thread);
        end_pair.push(end);
    }
    let threads: Arc<[ServingThread]> = threads.into();
    let connection_permits = Arc::new(Semaphore::new(config.connections));
    let accepter = Accepter {
        listener,
        address,
        lowered_limit: config.connections_lowered.then_some(config.connections),
        threads: threads.clone(),
        permits: connection_permits.clone(),
        phase: phases,
    };
    let running = RunningServer {
        url: format!("{scheme}://{address}"),
        phase,
        accepter: tokio::spawn(accepter.run()),
        threads,
        end_pair,
        connection_permits,
        connections: config.connections,
        calls: Box::new(move || components.iter().map(|component| component.workload.admission().running()).sum()),
    };
    Ok(StartedServer { running, chain: Arc::new(Chain::new(chained, handlers)) })
}

/// Returns where the requests of each component enter, by index and by name.
fn entries(components: &[ServedComponent]) -> (Arc<[Entry]>, BTreeMap<String, Handlers>) {
    let position = |name: &str| components.iter().position(|component| component.workload.name() == name);
    let handlers: Vec<Handlers> =
        components.iter().map(|component| Handlers::new(&component.middleware, component.workload.name())).collect();
    let entry = |(index, handlers): (usize, &Handlers)| (position(handlers.first()).unwrap_or(index), handlers.rest());
    let entries = handlers.iter().enumerate().map(entry).collect();
    let names = components.iter().map(|component| component.workload.name().to_owned());
    (entries, names.zip(handlers).collect())
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Connections in TIME_WAIT of a server that has just stopped would block the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(LISTEN_BACKLOG)
    };
    bound().map_err(|error| {
        let failed = Error::new(ErrorKind::Unavailable, format!("cannot listen on {address}")).with_source(error);
        failed.with_advice("choose another address with --addr")
    })
}

/// A running server.
struct RunningServer {
    url: String,
    phase: watch::Sender<ServerPhase>,
    /// Owns the listener.
    accepter: JoinHandle<()>,
    /// Dropping them ends the threads and their connections.
    threads: Arc<[ServingThread]>,
    end_pair: Vec<oneshot::Receiver<()>>,
    connection_permits: Arc<Semaphore>,
    connections: usize,
    /// Counts running calls, including those that continue after their response.
    calls: Box<dyn Fn() -> usize + Send + Sync>,
}

impl RunningServer {
    fn is_quiet(&self) -> bool {
        self.accepter.is_finished()
            && self.connection_permits.available_permits() == self.connections
            && (self.calls)() == 0
    }

    async fn quiet_until(&self, deadline: Instant) {
        while Instant::now() < deadline && !self.is_quiet() {
            tokio::time::sleep(DRAIN_POLL_INTERVAL).await;
        }
    }
}

#[async_trait]
impl Running for RunningServer {
    fn announcement(&self) -> String {
        format!("listening on {}", self.url)
    }

    async fn failed(&mut self) -> Error {
        let _ = select_all(&mut self.end_pair).await;
        Error::internal("a serving thread ended")
    }

    async fn drain(mut self: Box<Self>, deadline: Instant) {
        let _ = self.phase.send(ServerPhase::Draining);
        self.quiet_until(deadline.min(Instant::now() + DRAIN_GRACE)).await;
        let _ = self.phase.send(ServerPhase::Closing);
        self.quiet_until(deadline).await;
        // The threads drop their state before the process flushes its log, to which the state may write.
        self.accepter.abort();
        self.threads = Arc::new([]);
        let _ = tokio::time::timeout(THREAD_END_TIMEOUT, join_all(&mut self.end_pair)).await;
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.accepter.abort();
    }
}
