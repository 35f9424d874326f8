//! `Worker`: what the connections of one thread share of a component: its instances, and streaming responses.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempo_core::{Instances, Workload};

use super::body::Stream;
use super::config::Config;
use super::fair_queue::FlowId;
use super::guest::Handler;
use super::metrics::RequestMetrics;

/// The state of a component on one serving thread.
pub(crate) struct Worker {
    pub(crate) instances: Arc<Instances<Handler>>,
    pub(crate) config: Arc<Config>,
    pub(crate) metrics: Arc<RequestMetrics>,
    /// Maximum size of a request's body, in bytes.
    pub(crate) max_body: u64,
    streams: Mutex<Vec<Weak<Stream>>>,
}

impl Worker {
    /// Creates the state of one of `config.threads` threads.
    ///
    /// # Errors
    ///
    /// The component exports no HTTP handler.
    pub(crate) fn new(workload: Workload, config: Arc<Config>, max_body: u64) -> wasmtime::Result<Self> {
        let handler = Handler::find(workload.component())?;
        let metrics = Arc::new(RequestMetrics::new(workload.telemetry().clone()));
        let instances = Arc::new(Instances::new(workload, handler, config.threads));
        Ok(Self { instances, config, metrics, max_body, streams: Mutex::default() })
    }

    /// Returns `worker` with other settings. Both have the same instances.
    pub(crate) fn with_config(worker: &Arc<Self>, config: Arc<Config>, max_body: u64) -> Arc<Self> {
        if *worker.config == *config && worker.max_body == max_body {
            return worker.clone();
        }
        let (instances, metrics) = (worker.instances.clone(), worker.metrics.clone());
        Arc::new(Self { instances, config, metrics, max_body, streams: Mutex::default() })
    }

    /// Identifies the component on its thread, with any settings.
    pub(crate) fn flow_id(&self) -> FlowId {
        Arc::as_ptr(&self.instances).addr()
    }

    /// Returns the component.
    pub(crate) fn workload(&self) -> &Workload {
        self.instances.workload()
    }

    /// Tracks a streaming response until it ends.
    pub(crate) fn track(&self, stream: &Arc<Stream>) {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(stream));
    }

    /// Ends stalled responses and drops expired idle instances.
    pub(crate) fn maintain(&self) {
        self.instances.reap();
        let streams: Vec<_> = {
            let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
            streams.retain(|stream| stream.strong_count() > 0);
            streams.iter().filter_map(Weak::upgrade).collect()
        };
        for stream in streams {
            stream.end_if_stalled(self.config.send_rate.window, self.workload().limits().stream_idle);
        }
    }
}
