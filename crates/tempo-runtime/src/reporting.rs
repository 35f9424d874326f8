//! What the process tells of itself while it runs: to a collector, on `--admin`, on `--dashboard`. Started before
//! anything is contacted, and ended after all else.

use std::net::SocketAddr;
use std::time::Duration;

use tempo_core::telemetry::Telemetry;
use tempo_core::{Flag, Settings};
use tempo_telemetry::{ADMIN, Admin, Builder, Health, Listener, Phase, Running, Scrape};

/// How long the end of the process may be put off to send what is left.
const FLUSH: Duration = Duration::from_secs(2);

/// The flags, and the variables of OpenTelemetry.
pub fn flags() -> Vec<Flag> {
    [&[ADMIN], tempo_telemetry::FLAGS].concat()
}

/// The reporting of one process. It ends when this is dropped.
pub struct Reporting {
    running: Option<Running>,
    health: Health,
    announcements: Vec<String>,
}

impl Reporting {
    /// Starts what `settings` ask for, for `component` in the runtime of this name and version.
    ///
    /// # Errors
    ///
    /// A setting is bad, or an address is taken.
    pub fn start(runtime: (&str, &str), component: &str, settings: &Settings) -> anyhow::Result<Self> {
        let health = Health::default();
        let mut announcements = Vec::new();
        let mut builder = Builder::new(settings, component, runtime)?;
        if let Some(address) = settings.get::<SocketAddr>(&ADMIN)? {
            let listener = Listener::bind(address, &ADMIN)?;
            announcements.push(format!("metrics and health on http://{}", listener.address()));
            let (scrape, reader) = Scrape::new()?;
            builder = builder.reader(reader).task(Admin::new(health.clone(), scrape).serve(listener));
        }
        Ok(Self { running: builder.start()?, health, announcements })
    }

    /// The handle of those who have something to tell.
    pub fn telemetry(&self) -> Telemetry {
        self.running.as_ref().map(Running::telemetry).unwrap_or_default()
    }

    /// What to say to the user once all is ready.
    pub fn announcements(&self) -> &[String] {
        &self.announcements
    }

    /// Backends and triggers are being connected.
    pub fn connecting(&self) {
        self.health.enter(Phase::Connecting);
    }

    /// Calls can arrive.
    pub fn ready(&self) {
        self.health.enter(Phase::Ready);
    }

    /// No more calls are taken.
    pub fn stopping(&self) {
        self.health.enter(Phase::Stopping);
    }

    /// Sends what is left, within [`FLUSH`].
    pub fn flush(self) {
        if let Some(running) = self.running {
            running.shutdown(FLUSH);
        }
    }
}
