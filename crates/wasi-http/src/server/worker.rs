//! What the connections of one thread share: the component, its idle instances, and the responses under way.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime_wasi_http::handler::{Proxy, ProxyPre};
use tempo_core::{IdleInstances, Interrupted, StoreData, Workload, describe};

use super::body::Stream;
use super::config::Config;
use super::exchange::Outcome;
use super::measured::Measured;
use super::reply::Refusal;

/// One serving thread's share of the component.
pub(crate) struct Worker {
    pub(crate) workload: Workload,
    pub(crate) handler: ProxyPre<StoreData>,
    pub(crate) config: Arc<Config>,
    pub(crate) idle: IdleInstances<Proxy>,
    pub(crate) measured: Arc<Measured>,
    streams: Mutex<Vec<Weak<Stream>>>,
}

impl Worker {
    /// The share of one of `config.threads` threads.
    ///
    /// # Errors
    ///
    /// The component exports no HTTP handler.
    pub(crate) fn new(workload: Workload, config: Arc<Config>) -> wasmtime::Result<Self> {
        let handler = super::guest::handler(workload.component())?;
        let idle = IdleInstances::new(workload.clone(), config.threads);
        let measured = Arc::new(Measured::new(workload.telemetry().clone()));
        Ok(Self { workload, handler, config, idle, measured, streams: Mutex::default() })
    }

    /// Keeps the instance of a call that went well if it may serve again; says how to answer one that did not.
    pub(crate) fn settle(&self, outcome: Outcome) -> Result<(), Refusal> {
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

    /// Watches a response that is being streamed, until it ends.
    pub(crate) fn watch(&self, stream: &Arc<Stream>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(stream));
    }

    /// Ends what has stalled and drops instances that have been idle for long. Called every second or so.
    pub(crate) fn tidy(&self) {
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
