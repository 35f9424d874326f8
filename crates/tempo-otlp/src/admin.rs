//! What an operator's machines ask: `/metrics`, `/livez` and `/readyz`. They are answered by a thread of their own, which
//! can tell when the others hang.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use tempo_settings::Flag;
pub use tempo_telemetry::{Health, RuntimePhase};

use crate::prometheus::{CONTENT_TYPE, Scrape};
use crate::server::{Listener, Pages, Reply};

/// Where the pages of [`Admin`] are served.
pub const ADMIN: Flag =
    Flag::new("admin", "HOST:PORT", "Serve /metrics, /livez and /readyz on this address; port 0 picks one");

/// Each of its pages is written in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A part of the runtime that nothing was heard of for so long hangs. They say every second that they go on.
const HANGS: Duration = Duration::from_secs(10);

/// The pages of `--admin`.
#[derive(Clone, Debug)]
pub struct Admin {
    health: Health,
    scrape: Scrape,
    patience: Duration,
}

impl Admin {
    /// Pages that tell `health`, and the metrics that `scrape` reads.
    pub fn new(health: Health, scrape: Scrape) -> Self {
        Self { health, scrape, patience: HANGS }
    }

    /// The same; a part of the program hangs when nothing was heard of it for longer than this. Without it, 10 s.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Serves them until dropped. Needs a tokio runtime with I/O and time.
    pub async fn serve(self, listener: Listener) {
        listener.serve(Arc::new(self)).await;
    }
}

impl Pages for Admin {
    fn patience(&self) -> Duration {
        PATIENCE
    }

    /// Each probe comes once in seconds, and connections that stay would keep others out.
    fn keeps_alive(&self) -> bool {
        false
    }

    fn page(&self, path: &str, _: Option<&str>) -> Option<Reply> {
        Some(match path {
            "/metrics" => Reply::new(CONTENT_TYPE, self.scrape.text()),
            "/livez" => verdict(self.health.hung_threads(self.patience), "alive"),
            "/readyz" => verdict(self.health.not_ready(), "ready"),
            "/" => Reply::text(StatusCode::OK, "/metrics\n/livez\n/readyz"),
            _ => return None,
        })
    }
}

fn verdict(problem: Option<String>, well: &str) -> Reply {
    match problem {
        None => Reply::text(StatusCode::OK, well),
        Some(problem) => Reply::text(StatusCode::SERVICE_UNAVAILABLE, &problem),
    }
}
