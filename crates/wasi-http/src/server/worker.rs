//! `Worker`: what the connections of one thread share: the component, its idle instances, and streaming responses.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempo_core::{IdleInstances, Interrupted, StoreData, Workload, describe};
use wasmtime_wasi_http::handler::{Proxy, ProxyPre};

use super::body::Stream;
use super::config::Config;
use super::exchange::CallOutcome;
use super::metrics::RequestMetrics;
use super::reply::Refusal;

/// The state of one serving thread.
pub(crate) struct Worker {
    pub(crate) workload: Workload,
    pub(crate) handler: ProxyPre<StoreData>,
    pub(crate) config: Arc<Config>,
    pub(crate) idle: IdleInstances<Proxy>,
    pub(crate) metrics: Arc<RequestMetrics>,
    streams: Mutex<Vec<Weak<Stream>>>,
}

impl Worker {
    /// Creates the state of one of `config.threads` threads.
    ///
    /// # Errors
    ///
    /// The component exports no HTTP handler.
    pub(crate) fn new(workload: Workload, config: Arc<Config>) -> wasmtime::Result<Self> {
        let handler = super::guest::handler(workload.component())?;
        let idle = IdleInstances::new(workload.clone(), config.threads);
        let metrics = Arc::new(RequestMetrics::new(workload.telemetry().clone()));
        Ok(Self { workload, handler, config, idle, metrics, streams: Mutex::default() })
    }

    /// Parks the instance of a successful call if it is reusable; returns the refusal for a failed call.
    pub(crate) fn finish_call(&self, outcome: CallOutcome) -> Result<(), Refusal> {
        let component = self.workload.name();
        if !matches!(outcome, Ok(Ok(_))) {
            self.workload.telemetry().count_trap();
        }
        match outcome {
            Ok(Ok(warm)) => {
                self.idle.park(warm);
                Ok(())
            }
            Ok(Err(trap)) => Err(match trap.downcast_ref::<Interrupted>() {
                Some(interrupted) => timed_out(component, *interrupted),
                None => {
                    tracing::error!(component, error = describe(&trap), "the component trapped");
                    tracing::debug!(component, "{trap:?}");
                    Refusal::Failed
                }
            }),
            Err(interrupted) => Err(timed_out(component, interrupted)),
        }
    }

    /// Tracks a streaming response until it ends.
    pub(crate) fn track(&self, stream: &Arc<Stream>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(stream));
    }

    /// Ends stalled responses and drops expired idle instances.
    pub(crate) fn maintain(&self) {
        self.idle.reap();
        let streams: Vec<_> = {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.retain(|stream| stream.strong_count() > 0);
            streams.iter().filter_map(Weak::upgrade).collect()
        };
        for stream in streams {
            stream.end_if_stalled(self.workload.limits().request);
        }
    }
}

fn timed_out(component: &str, interrupted: Interrupted) -> Refusal {
    tracing::warn!(component, "{interrupted}");
    Refusal::TimedOut
}
