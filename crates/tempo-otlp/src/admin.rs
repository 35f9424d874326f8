//! `Admin`: `/metrics`, `/livez` and `/readyz`, served by a separate thread, which can detect that others hang.

pub(crate) mod hosts;
pub(crate) mod prometheus;
pub(crate) mod server;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tempo_settings::Flag;
pub use tempo_telemetry::{Health, RuntimePhase};

use self::prometheus::{CONTENT_TYPE, Scrape};
use self::server::{Listener, Pages, Reply};

/// The address of [`Admin`].
pub const ADMIN: Flag =
    Flag::new("admin", "HOST:PORT", "Serve /metrics, /livez and /readyz on this address; port 0 picks one")
        .of_process();

/// Timeout of a connection. Each page is written within milliseconds.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Time without a heartbeat after which a thread counts as hung. Threads send one every second.
const DEFAULT_HANG_TIMEOUT: Duration = Duration::from_secs(10);

/// The pages of `--admin`.
#[derive(Clone, Debug)]
pub struct Admin {
    health: Health,
    scrape: Scrape,
    hang_timeout: Duration,
}

impl Admin {
    /// Creates pages that show `health` and the metrics of `scrape`.
    pub fn new(health: Health, scrape: Scrape) -> Self {
        Self { health, scrape, hang_timeout: DEFAULT_HANG_TIMEOUT }
    }

    /// Sets the time without a heartbeat after which a thread counts as hung. Default: 10 s.
    #[must_use]
    pub fn with_hang_timeout(mut self, hang_timeout: Duration) -> Self {
        self.hang_timeout = hang_timeout;
        self
    }

    /// Serves until dropped. Needs a tokio runtime with I/O and time.
    pub async fn serve(self, listener: Listener) {
        listener.serve(Arc::new(self)).await;
    }
}

impl Pages for Admin {
    fn connection_timeout(&self) -> Duration {
        CONNECTION_TIMEOUT
    }

    /// Probes are seconds apart: idle connections would only take places.
    fn keeps_alive(&self) -> bool {
        false
    }

    fn page(&self, path: &str, _: Option<&str>) -> Option<Reply> {
        Some(match path {
            "/metrics" => Reply::new(CONTENT_TYPE, self.scrape.text()),
            "/livez" => probe_reply(self.health.hung_threads(self.hang_timeout), "alive"),
            "/readyz" => probe_reply(self.health.not_ready(), "ready"),
            "/" => Reply::text(StatusCode::OK, "/metrics\n/livez\n/readyz"),
            _ => return None,
        })
    }
}

fn probe_reply(problem: Option<String>, well: &str) -> Reply {
    match problem {
        None => Reply::text(StatusCode::OK, well),
        Some(problem) => Reply::text(StatusCode::SERVICE_UNAVAILABLE, &problem),
    }
}
