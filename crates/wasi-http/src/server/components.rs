//! `Components`: the components that a server serves, with its settings. Each serving thread has a `Served` of its own of them.

use std::sync::Arc;

use tempo_core::{Admission, AppComponent, Workload};
use tempo_settings::{Error, Settings};

use super::check;
use super::config::{Config, max_body};
use super::metrics::RequestMetrics;
use super::route::Route;
use super::served::Served;
use super::tls::Tls;
use super::worker::Worker;
use super::workers::{Routes, Workers};
use crate::WasiHttp;

/// A component to serve.
pub(super) struct ServedComponent {
    pub(super) workload: Workload,
    /// In bytes.
    max_body: u64,
    pub(super) routes: Vec<Route>,
    /// The names of the components that get its requests first.
    pub(super) middleware: Vec<String>,
}

/// The components to serve, of which there is at least one, and the settings of the server.
pub(super) struct Components {
    pub(super) config: Arc<Config>,
    pub(super) tls: Option<Tls>,
    all: Vec<ServedComponent>,
    routes: Arc<Routes>,
}

impl Components {
    /// Reads the settings of the only component of a process.
    ///
    /// # Errors
    ///
    /// A setting is invalid, or the certificate cannot be read.
    pub(super) fn alone(workload: Workload, settings: &Settings) -> Result<Self, Error> {
        let (max_body, routes) = (max_body(settings)?, check::routes(settings)?);
        let component = ServedComponent { workload, max_body, routes, middleware: check::without_app(settings)? };
        Self::new(settings, vec![component], false)
    }

    /// Reads the settings of the components of an app that export a handler. Returns `None` if there is no such component.
    ///
    /// # Errors
    ///
    /// As [`alone`](Self::alone).
    pub(super) fn of_app(components: &[AppComponent<WasiHttp>]) -> Result<Option<Self>, Error> {
        let exporting: Vec<_> = components.iter().filter(|component| component.exports).collect();
        let Some(first) = exporting.first() else { return Ok(None) };
        let settings = first.settings.clone();
        let served = exporting.into_iter().map(|component| {
            let (max_body, routes) = (max_body(&component.settings)?, check::routes(&component.settings)?);
            let middleware = check::middleware(&component.settings)?;
            Ok(ServedComponent { workload: component.workload.clone(), max_body, routes, middleware })
        });
        Self::new(&settings, served.collect::<Result<_, Error>>()?, true).map(Some)
    }

    /// Checks the settings of the server, and reads its certificate.
    ///
    /// # Errors
    ///
    /// As [`alone`](Self::alone).
    pub(super) fn check(settings: &Settings) -> Result<(), Error> {
        server(settings).map(drop)
    }

    fn new(settings: &Settings, all: Vec<ServedComponent>, in_app: bool) -> Result<Self, Error> {
        let (config, tls) = server(settings)?;
        let config = Arc::new(config);
        let routes = all.iter().map(|component| {
            let ServedComponent { workload, routes, middleware, .. } = component;
            (workload.name(), &**routes, &**middleware)
        });
        let routes = Arc::new(Routes::new(routes, in_app));
        Ok(Self { config, tls, all, routes })
    }

    /// Returns the permits of each component.
    pub(super) fn admissions(&self) -> Vec<Admission> {
        self.all.iter().map(|component| component.workload.admission().clone()).collect()
    }

    /// Creates what one thread serves, with the instances of the components that `previous` has too.
    ///
    /// # Errors
    ///
    /// A component has no handler, or middleware does not pass requests on.
    pub(super) fn served(&self, previous: Option<&Served>) -> Result<Served, Error> {
        let workers = self.all.iter().map(|component| {
            let previous = previous.map_or(&[][..], |previous| previous.workers.all());
            let same = previous.iter().find(|worker| worker.workload().is_same(&component.workload));
            match same {
                Some(worker) => Ok(Worker::with_config(worker, self.config.clone(), component.max_body)),
                None => Worker::new(component.workload.clone(), self.config.clone(), component.max_body).map(Arc::new),
            }
        });
        let workers = workers.collect::<wasmtime::Result<Vec<_>>>().map_err(Error::internal)?;
        check::check_middleware(&self.all, &workers)?;
        let first = workers.first().ok_or_else(|| Error::internal("a server without components"))?;
        let workload = first.workload();
        let (telemetry, metrics) = match (workload.app(), previous) {
            (Some(_), Some(previous)) => (previous.telemetry.clone(), previous.metrics.clone()),
            (Some(app), None) => (app.telemetry.clone(), Arc::new(RequestMetrics::new(app.telemetry.clone()))),
            (None, _) => (workload.telemetry().clone(), first.metrics.clone()),
        };
        Ok(Served {
            config: self.config.clone(),
            tls: self.tls.clone(),
            admission: workload.admission().clone(),
            queue_wait: workload.limits().queue_wait,
            telemetry,
            metrics,
            workers: Workers::new(workers, self.routes.clone()),
        })
    }
}

/// Reads the settings of the server, and its certificate.
fn server(settings: &Settings) -> Result<(Config, Option<Tls>), Error> {
    let config = Config::from_settings(settings)?;
    let tls = config.tls.as_ref().map(|(cert, key)| Tls::load(cert, key)).transpose()?;
    Ok((config, tls))
}
