//! A collector for tests, built on the messages and the gRPC service that the OpenTelemetry project generates: what it
//! decodes is valid OTLP.
//!
//! It receives all three signals over gRPC and HTTP on one port, stores the requests, and can simulate failures.

mod serve;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Result;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::oneshot;

/// Timeout of [`Collector::wait_for`]: sufficient for a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a collector responds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Accepts the request.
    #[default]
    Take,
    /// Accepts the request except for this many items.
    Partly(i64),
    /// Accepts the request after a delay.
    Slowly(Duration),
    /// Rejects the request.
    Refuse {
        /// The status over HTTP.
        http: u16,
        /// The status over gRPC.
        grpc: i32,
        /// The requested delay, in seconds.
        retry_after: Option<u64>,
    },
}

/// The head of a received request.
#[derive(Clone, Debug)]
pub struct Head {
    /// Time of arrival.
    pub at: Instant,
    /// The path, which names the signal.
    pub path: String,
    /// The version of HTTP.
    pub version: http::Version,
    /// The header fields.
    pub headers: http::HeaderMap,
}

/// A received item with its resource and scope.
#[derive(Clone, Debug)]
pub struct Received<T> {
    /// The resource: the process, and attributes added by the guest.
    pub resource: Resource,
    /// The instrumentation scope.
    pub scope: InstrumentationScope,
    /// The URL of the scope's schema.
    pub schema_url: String,
    /// The item.
    pub item: T,
}

#[derive(Default)]
struct ReceivedRequests {
    answer: Answer,
    heads: Vec<Head>,
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
}

type State = Arc<Mutex<ReceivedRequests>>;

fn lock(state: &State) -> MutexGuard<'_, ReceivedRequests> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A collector. Dropping it stops it.
pub struct Collector {
    address: SocketAddr,
    state: State,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

macro_rules! received_items {
    ($(#[$doc:meta])* $name:ident: $item:ty, $requests:ident, $by_resource:ident, $by_scope:ident, $items:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Vec<Received<$item>> {
            let mut all = Vec::new();
            for by_resource in self.$requests().into_iter().flat_map(|request| request.$by_resource) {
                for by_scope in by_resource.$by_scope {
                    all.extend(by_scope.$items.into_iter().map(|item| Received {
                        resource: by_resource.resource.clone().unwrap_or_default(),
                        scope: by_scope.scope.clone().unwrap_or_default(),
                        schema_url: by_scope.schema_url.clone(),
                        item,
                    }));
                }
            }
            all
        }
    };
}

impl Collector {
    /// Starts a collector on a free port.
    ///
    /// # Errors
    /// The system provides no port or no thread.
    pub fn start() -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts a collector at `address`, for instance that of a stopped one.
    ///
    /// # Errors
    /// The address is in use, or the system cannot create a thread.
    pub fn start_at(address: SocketAddr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let state = State::default();
        let serving = serve::serve(listener, Arc::clone(&state));
        let thread = std::thread::Builder::new().name("collector".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serving => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, state, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL, for `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sets the response to further requests.
    pub fn answer(&self, answer: Answer) {
        lock(&self.state).answer = answer;
    }

    /// Returns the heads of all requests, including rejected ones.
    pub fn heads(&self) -> Vec<Head> {
        lock(&self.state).heads.clone()
    }

    /// Returns the accepted requests with spans.
    pub fn traces(&self) -> Vec<ExportTraceServiceRequest> {
        lock(&self.state).traces.clone()
    }

    /// Returns the accepted requests with metrics.
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        lock(&self.state).metrics.clone()
    }

    /// Returns the accepted requests with log records.
    pub fn logs(&self) -> Vec<ExportLogsServiceRequest> {
        lock(&self.state).logs.clone()
    }

    received_items! {
        /// Returns the accepted spans.
        spans: Span, traces, resource_spans, scope_spans, spans
    }
    received_items! {
        /// Returns the accepted metrics.
        measured: Metric, metrics, resource_metrics, scope_metrics, metrics
    }
    received_items! {
        /// Returns the accepted log records.
        records: LogRecord, logs, resource_logs, scope_logs, log_records
    }

    /// Waits until `find` returns a value.
    ///
    /// # Panics
    /// It does not within two minutes.
    pub fn wait_for<T>(&self, what: &str, mut find: impl FnMut(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = find(self) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "the collector waits in vain for {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl<T> Received<T> {
    /// Returns the text of a resource attribute.
    pub fn resource_text(&self, key: &str) -> Option<&str> {
        let found = self.resource.attributes.iter().find(|pair| pair.key == key)?;
        match found.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text),
            _ => None,
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
