//! What the process tells of itself while it runs: to a collector, on `--admin`, on `--dashboard`. Started before
//! anything is contacted, and ended after all else.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tempo_otlp::{
    ADMIN, ADMIN_HOST, Admin, Builder, DASHBOARD, DASHBOARD_HOST, DASHBOARD_TOKEN, Dashboard, HostName, Listener,
    LogBridge, Recent, Running, Scrape, Token,
};
use tempo_settings::{Flag, Secret, Settings};
use tempo_telemetry::{Health, Telemetry};
use tracing_subscriber::{Layer, Registry};

/// How long the end of the process may be put off to send what is left.
const FLUSH: Duration = Duration::from_secs(2);

/// The log is one of the whole process, and there before anything else.
static LOG: LazyLock<LogBridge> = LazyLock::new(LogBridge::default);

/// The flags, and the variables of OpenTelemetry.
pub fn flags() -> Vec<Flag> {
    [&[ADMIN, ADMIN_HOST, DASHBOARD, DASHBOARD_HOST, DASHBOARD_TOKEN], tempo_otlp::FLAGS].concat()
}

/// What takes the events of the log.
pub fn log_layer() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    Some(LOG.clone().boxed())
}

/// The reporting of one process. It ends when this is dropped.
pub struct Reporting {
    running: Option<Running>,
    dashboard: Option<Dashboard>,
    announcements: Vec<String>,
}

impl Reporting {
    /// Starts what `settings` ask for, for `component` in the runtime of this name and version. The pages tell
    /// `health`.
    ///
    /// # Errors
    ///
    /// A setting is bad, or an address is taken.
    pub fn start(runtime: (&str, &str), component: &str, settings: &Settings, health: &Health) -> anyhow::Result<Self> {
        let (mut dashboard, mut announcements) = (None, Vec::new());
        let mut builder = Builder::new(settings, component, runtime)?;
        let admin = listener(settings, &ADMIN, &ADMIN_HOST)?;
        let page = listener(settings, &DASHBOARD, &DASHBOARD_HOST)?;
        if admin.is_some() || page.is_some() {
            let (scrape, reader) = Scrape::new()?;
            builder = builder.reader(reader).scrape(&scrape);
            if let Some(listener) = admin {
                announcements.push(format!("metrics and health on http://{}", listener.address()));
                builder = builder.task(Admin::new(health.clone(), scrape.clone()).serve(listener));
            }
            if let Some(listener) = page {
                let recent = Recent::default();
                let token = token(settings, listener.address())?;
                let page = Dashboard::new(recent.clone(), scrape, health.clone()).with_token(token);
                announcements.push(page.announcement(listener.address()));
                builder = builder.sink(Arc::new(recent)).task(page.clone().serve(listener));
                dashboard = Some(page);
            }
        }
        let running = builder.start()?;
        if let Some(running) = &running {
            LOG.connect(running.telemetry());
        }
        Ok(Self { running, dashboard, announcements })
    }

    /// The handle of those who have something to tell.
    pub fn telemetry(&self) -> Telemetry {
        self.running.as_ref().map(Running::telemetry).unwrap_or_default()
    }

    /// Whether anybody wants to see what runs: then [`describe`](Self::describe) it.
    pub fn is_shown(&self) -> bool {
        self.dashboard.is_some()
    }

    /// Says what runs, and what of `flags` it is granted: see [`Dashboard::describe`].
    pub fn describe(&self, mut component: serde_json::Value, flags: &[Flag], settings: &Settings) {
        let Some(dashboard) = &self.dashboard else { return };
        let shown = |flag: &Flag| {
            let how = flag.grants?;
            let values: Vec<String> = settings.given(flag).iter().map(|value| how.of(&value.text)).collect();
            (!values.is_empty()).then(|| (flag.name.to_owned(), values.into()))
        };
        let grants: serde_json::Map<String, serde_json::Value> = flags.iter().filter_map(shown).collect();
        if let Some(component) = component.as_object_mut() {
            component.insert("grants".to_owned(), grants.into());
        }
        dashboard.describe(component);
    }

    /// What to say to the user once all is ready.
    pub fn announcements(&self) -> &[String] {
        &self.announcements
    }

    /// Sends what is left, within [`FLUSH`].
    pub fn flush(self) {
        if let Some(running) = self.running {
            running.shutdown(FLUSH);
        }
    }
}

/// Listens where `address` says, if it does, for requests that name one of `hosts`.
fn listener(settings: &Settings, address: &Flag, hosts: &Flag) -> anyhow::Result<Option<Listener>> {
    let hosts: Vec<HostName> = settings.all(hosts)?;
    let Some(place) = settings.get::<SocketAddr>(address)? else { return Ok(None) };
    Ok(Some(Listener::bind(place, address)?.with_hosts(&hosts)))
}

/// What the dashboard on `address` asks for.
fn token(settings: &Settings, address: SocketAddr) -> anyhow::Result<Option<Token>> {
    Ok(match settings.get::<Secret>(&DASHBOARD_TOKEN)? {
        Some(text) if text.reveal().is_empty() => {
            return Err(settings.invalid(&DASHBOARD_TOKEN, "expected text").into());
        }
        Some(text) => Some(Token::given(text)),
        None if Dashboard::needs_token(address) => Some(Token::random()?),
        None => None,
    })
}
