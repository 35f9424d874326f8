//! The HTTP server: a trigger for components that export a `wasi:http` handler.

mod accept;
mod activity;
mod backlog;
mod bodiless;
mod body;
mod body_fault;
mod check;
mod components;
mod config;
mod connection;
mod edges;
mod exchange;
mod fair_queue;
mod fields;
mod flow;
mod guest;
mod half_close;
mod listener;
mod metrics;
mod quiescence;
mod reply;
mod request;
mod route;
mod router;
mod running;
mod send_rate;
mod send_watch;
mod served;
mod telemetry;
mod thread_load;
mod threads;
mod tls;
mod transport;
mod turn;
mod upload;
mod watchdog;
mod worker;
mod workers;

use async_trait::async_trait;
use tempo_core::{AppCheck, AppComponent, ComponentOutline, Running, Trigger, Workload};
use tempo_settings::{Flag, Settings};

#[cfg(feature = "fuzzing")]
pub(crate) use self::{bodiless::content_length, fields::receive};

pub(crate) use self::body::{Content, Stream};
pub(crate) use self::connection::Server;
pub(crate) use self::request::{Source as RequestSource, handle};
pub(crate) use self::telemetry::begin as begin_span;
pub(crate) use self::worker::Worker;

use self::components::Components;
use self::config::Config;
use self::running::RunningServer;
use crate::{HttpCtx, WasiHttp};

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
        let health = workload.health().clone();
        Ok(Box::new(RunningServer::start(&Components::alone(workload, settings)?, &health)?))
    }

    fn check(app: &[ComponentOutline<'_>]) -> AppCheck {
        check::check(app)
    }

    async fn start_app(components: Vec<AppComponent<WasiHttp>>) -> tempo_settings::Result<Vec<Box<dyn Running>>> {
        let Some(served) = Components::of_app(&components)? else { return Ok(Vec::new()) };
        let health = components.first().map(|component| component.workload.health().clone()).unwrap_or_default();
        let running = RunningServer::start(&served, &health)?;
        running.connect(&components);
        Ok(vec![Box::new(running)])
    }
}
