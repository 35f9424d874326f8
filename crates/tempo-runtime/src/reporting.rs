//! Exports the telemetry of the process: to a collector, on `--admin` and on `--dashboard`. Starts before any connection is
//! made, and stops last.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tempo_dashboard::{DASHBOARD, DASHBOARD_TOKEN, Dashboard, Recent, Token};
use tempo_otlp::{
    ADMIN, ADMIN_HOST, Admin, Builder, Config, DASHBOARD_HOST, HostName, Listener, LogBridge, Running, Scrape,
};
use tempo_settings::{Flag, Secret, Settings};
use tempo_telemetry::{Health, Telemetry};
use tracing_subscriber::{Layer, Registry};

/// Maximum time to export buffered records at exit.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Forwards log events to telemetry. Global, because the log of the process starts before its telemetry.
static LOG: LazyLock<LogBridge> = LazyLock::new(LogBridge::default);

/// Returns the flags, and the `OTEL_*` environment variables.
pub(crate) fn flags() -> Vec<Flag> {
    [&[ADMIN, ADMIN_HOST, DASHBOARD, DASHBOARD_HOST, DASHBOARD_TOKEN], tempo_otlp::FLAGS].concat()
}

/// Returns the subscriber layer that forwards log events to telemetry.
pub(crate) fn log_layer() -> Option<Box<dyn Layer<Registry> + Send + Sync>> {
    Some(LOG.clone().boxed())
}

/// Returns the address of the dashboard of `tempo dev`: the usual one, or a free one if it is in use.
pub(crate) fn development_defaults() -> Vec<(Flag, String)> {
    let Some(usual) = DASHBOARD.bare else { return Vec::new() };
    let is_free = std::net::TcpListener::bind(usual).is_ok();
    vec![(DASHBOARD, if is_free { usual } else { "127.0.0.1:0" }.to_owned())]
}

/// The exporters of one process. Dropping it stops them.
pub(crate) struct Reporting {
    running: Option<Running>,
    dashboard: Option<Dashboard>,
    announcements: Vec<String>,
}

impl Reporting {
    /// Starts the exporters that `settings` enable, for `component` in the runtime of this name and version. The pages serve
    /// `health`.
    ///
    /// # Errors
    ///
    /// A setting is invalid, or an address is in use.
    pub(crate) fn start(
        runtime: (&str, &str),
        component: &str,
        settings: &Settings,
        health: &Health,
    ) -> anyhow::Result<Self> {
        let (mut dashboard, mut announcements) = (None, Vec::new());
        let mut builder = Builder::new(Config::from_settings(settings)?, component, runtime);
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

    /// Returns the handle that services report through.
    pub(crate) fn telemetry(&self) -> Telemetry {
        self.running.as_ref().map(Running::telemetry).unwrap_or_default()
    }

    /// Returns whether there is a dashboard to [`describe`](Self::describe) the components to.
    pub(crate) fn has_dashboard(&self) -> bool {
        self.dashboard.is_some()
    }

    /// Shows `components` and their grants, the values of `flags`, on the dashboard: see [`Dashboard::describe`]. `app` is the
    /// name of the app that they are part of.
    pub(crate) fn describe(&self, app: Option<&str>, components: Vec<(serde_json::Value, &Settings)>, flags: &[Flag]) {
        let Some(dashboard) = &self.dashboard else { return };
        let mut described = components.into_iter().map(|(component, settings)| with_grants(component, flags, settings));
        match app {
            Some(app) => {
                let components: Vec<_> = described.collect();
                dashboard.describe(serde_json::json!({ "component": app, "components": components }));
            }
            None => described.next().into_iter().for_each(|component| dashboard.describe(component)),
        }
    }

    /// Returns the lines to write for the user once the runtime is ready.
    pub(crate) fn announcements(&self) -> &[String] {
        &self.announcements
    }

    /// Exports buffered records, within [`FLUSH_TIMEOUT`].
    pub(crate) fn flush(self) {
        if let Some(running) = self.running {
            running.shutdown(FLUSH_TIMEOUT);
        }
    }
}

/// Adds the values of `flags` to the description of a component.
fn with_grants(mut component: serde_json::Value, flags: &[Flag], settings: &Settings) -> serde_json::Value {
    let grant = |flag: &Flag| {
        let disclosure = flag.grants?;
        let values = settings.raw_values(flag).iter().map(|value| disclosure.apply(&value.text));
        let values: Vec<String> = values.collect();
        (!values.is_empty()).then(|| (flag.name.to_owned(), values.into()))
    };
    let grants: serde_json::Map<String, serde_json::Value> = flags.iter().filter_map(grant).collect();
    if let Some(component) = component.as_object_mut() {
        component.insert("grants".to_owned(), grants.into());
    }
    component
}

/// Binds the address of the flag `address`, if it is set. The listener accepts requests for `hosts`.
fn listener(settings: &Settings, address: &Flag, hosts: &Flag) -> anyhow::Result<Option<Listener>> {
    let hosts: Vec<HostName> = settings.all(hosts)?;
    let Some(socket) = settings.get::<SocketAddr>(address)? else { return Ok(None) };
    Ok(Some(Listener::bind(socket, address)?.with_hosts(&hosts)))
}

/// Returns the token that the dashboard on `address` requires, if it does.
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
