//! The HTTP server: the trigger that calls components which export a `wasi:http` handler.

mod accept;
mod activity;
mod backlog;
mod bodiless;
mod body;
mod config;
mod connection;
mod exchange;
mod fields;
mod flow;
mod guest;
mod measured;
mod pace;
mod quiescence;
mod reply;
mod request;
mod send_watch;
mod telemetry;
mod threads;
mod tls;
mod transport;
mod turn;
mod upload;
mod watchdog;
mod worker;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::select_all;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;
use tempo_core::{Running, Trigger, Workload};
use tempo_settings::{Error, ErrorKind, Flag, Settings};

use self::accept::Accepter;
use self::backlog::Backlog;
use self::config::Config;
use self::connection::{Phase, Server};
use self::threads::Thread;
use self::tls::Tls;
use self::worker::Worker;
use crate::{HttpState, WasiHttp};

/// Connections that the system keeps while the server is busy.
const BACKLOG: u32 = 1024;
/// How long a stopping server still answers on open connections before it closes the idle ones.
const LEAVE: Duration = Duration::from_millis(500);
/// How often a stopping server looks whether it is done.
const LOOK: Duration = Duration::from_millis(5);

/// The trigger that serves HTTP/1.1 and HTTP/2 to components that export `wasi:http/handler` (0.3) or
/// `wasi:http/incoming-handler` (0.2).
pub struct HttpServer;

#[async_trait]
impl Trigger for HttpServer {
    type Service = WasiHttp;

    const EXPORTS: &'static [&'static str] = &["wasi:http/incoming-handler", "wasi:http/handler"];

    fn flags() -> Vec<Flag> {
        Config::FLAGS.to_vec()
    }

    async fn start(workload: Workload, settings: &Settings, _: HttpState) -> anyhow::Result<Box<dyn Running>> {
        let config = Arc::new(Config::from_settings(settings)?);
        let tls = config.tls.as_ref().map(|(cert, key)| Tls::load(cert, key)).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = listen(config.address)?;
        let address = listener.local_addr()?;
        let (phase, phases) = watch::channel(Phase::Serving);
        let backlog = Backlog::new(config.send_buffer);
        let mut threads = Vec::new();
        let mut ends = Vec::new();
        for _ in 0..config.threads {
            let worker = Arc::new(Worker::new(workload.clone(), config.clone())?);
            let server = Server { worker, backlog: backlog.clone(), tls: tls.clone(), phase: phases.clone() };
            let (thread, end) = Thread::start(server)?;
            threads.push(thread);
            ends.push(end);
        }
        let threads: Arc<[Thread]> = threads.into();
        let places = Arc::new(Semaphore::new(config.connections));
        let few = config.few_connections.then_some(config.connections);
        let accepter =
            Accepter { listener, address, few, threads: threads.clone(), places: places.clone(), phase: phases };
        let running = RunningServer {
            url: format!("{scheme}://{address}"),
            phase,
            accepter: tokio::spawn(accepter.run()),
            _threads: threads,
            ends,
            places,
            connections: config.connections,
            calls: Box::new(move || workload.limits().requests.saturating_sub(workload.admission().free())),
        };
        Ok(Box::new(running))
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A server that was just stopped leaves connections behind that would keep the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|error| {
        let message = format!("cannot listen on {address}: {error}; choose another address with --addr");
        Error::new(ErrorKind::Unavailable, message)
    })
}

/// A server that has been started.
struct RunningServer {
    url: String,
    phase: watch::Sender<Phase>,
    /// Owns the listener.
    accepter: JoinHandle<()>,
    /// They end, with whatever they still serve, when this is dropped.
    _threads: Arc<[Thread]>,
    ends: Vec<oneshot::Receiver<()>>,
    places: Arc<Semaphore>,
    connections: usize,
    /// How many calls run, those after their response included.
    calls: Box<dyn Fn() -> usize + Send + Sync>,
}

impl RunningServer {
    fn is_quiet(&self) -> bool {
        self.accepter.is_finished() && self.places.available_permits() == self.connections && (self.calls)() == 0
    }

    async fn quiet_until(&self, deadline: Instant) {
        while Instant::now() < deadline && !self.is_quiet() {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl Running for RunningServer {
    fn announcement(&self) -> String {
        format!("listening on {}", self.url)
    }

    async fn failed(&mut self) -> anyhow::Error {
        let _ = select_all(&mut self.ends).await;
        anyhow::anyhow!("a serving thread ended")
    }

    async fn drain(self: Box<Self>, deadline: Instant) {
        let _ = self.phase.send(Phase::Leaving);
        self.quiet_until(deadline.min(Instant::now() + LEAVE)).await;
        let _ = self.phase.send(Phase::Closing);
        self.quiet_until(deadline).await;
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        self.accepter.abort();
    }
}
