//! What an operator's machines ask: `/metrics`, `/livez` and `/readyz`, and the state of the runtime that the last one
//! tells.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tempo_core::Flag;

use crate::prometheus::{CONTENT_TYPE, Scrape};
use crate::server::{Listener, Pages, Reply};

/// Where the pages of [`Admin`] are served.
pub const ADMIN: Flag =
    Flag::new("admin", "HOST:PORT", "Serve /metrics, /livez and /readyz on this address; port 0 picks one");

/// Each of its pages is written in milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far a runtime has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It loads the component.
    #[default]
    Starting,
    /// It connects the backends and starts the triggers.
    Connecting,
    /// It serves.
    Ready,
    /// It finishes what runs.
    Stopping,
}

type Reason = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// Whether a runtime is ready, and if not, why. Cheap to clone; all clones are the same.
#[derive(Clone, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    reasons: Vec<Reason>,
}

impl Health {
    /// Takes note of how far the runtime has come.
    pub fn enter(&self, phase: Phase) {
        self.state().phase = phase;
    }

    /// Asks `reason` from now on, too, whenever somebody asks: it says in a few words why the runtime is not ready, or
    /// nothing. It must not block, and what it says is public: no secret, no URL with a password.
    pub fn unless(&self, reason: impl Fn() -> Option<String> + Send + Sync + 'static) {
        self.state().reasons.push(Arc::new(reason));
    }

    /// Why the runtime is not ready, one reason a line; nothing if it is.
    pub fn not_ready(&self) -> Option<String> {
        let phase = self.state().phase;
        let phase = match phase {
            Phase::Starting => "starting: the component is being loaded",
            Phase::Connecting => "starting: backends and triggers are being connected",
            Phase::Stopping => "stopping",
            Phase::Ready => {
                // Asked without the lock, which they may take.
                let reasons = self.state().reasons.clone();
                let reasons: Vec<String> = reasons.iter().filter_map(|reason| reason()).collect();
                return (!reasons.is_empty()).then(|| reasons.join("\n"));
            }
        };
        Some(phase.to_owned())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Health").field("phase", &state.phase).field("reasons", &state.reasons.len()).finish()
    }
}

/// The pages of `--admin`.
#[derive(Clone, Debug)]
pub struct Admin {
    health: Health,
    scrape: Scrape,
}

impl Admin {
    /// Pages that tell `health`, and the metrics that `scrape` reads.
    pub fn new(health: Health, scrape: Scrape) -> Self {
        Self { health, scrape }
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

    fn page(&self, path: &str, _: Option<&str>) -> Option<Reply> {
        Some(match path {
            "/metrics" => Reply::new(CONTENT_TYPE, self.scrape.text()),
            // That it is answered says it.
            "/livez" => Reply::text(StatusCode::OK, "alive"),
            "/readyz" => match self.health.not_ready() {
                None => Reply::text(StatusCode::OK, "ready"),
                Some(reason) => Reply::text(StatusCode::SERVICE_UNAVAILABLE, &reason),
            },
            "/" => Reply::text(StatusCode::OK, "/metrics\n/livez\n/readyz"),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_ready_when_its_phase_and_its_parts_say_so() {
        let health = Health::default();
        assert!(health.not_ready().unwrap().starts_with("starting"));
        health.enter(Phase::Connecting);
        assert!(health.not_ready().unwrap().contains("connected"));
        health.clone().enter(Phase::Ready);
        assert_eq!(health.not_ready(), None);
        let down = Arc::new(Mutex::new(true));
        let asked = down.clone();
        health.unless(move || asked.lock().unwrap().then(|| "nats: reconnecting".to_owned()));
        health.unless(|| None);
        assert_eq!(health.not_ready().as_deref(), Some("nats: reconnecting"));
        *down.lock().unwrap() = false;
        assert_eq!(health.not_ready(), None);
        health.enter(Phase::Stopping);
        assert_eq!(health.not_ready().as_deref(), Some("stopping"));
    }
}
