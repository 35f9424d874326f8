//! A collector for tests, with the messages and the gRPC service that the OpenTelemetry project generates: what it can read
//! is OTLP, whoever wrote it.
//!
//! It takes all three signals by gRPC and by HTTP on one port, keeps what it takes, and can be told to answer badly.

mod serve;

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

/// How long [`Collector::wait_for`] waits: long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a collector answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It takes the request.
    #[default]
    Take,
    /// It takes the request, but for so many of what is in it.
    Partly(i64),
    /// It takes the request after a while.
    Slowly(Duration),
    /// It does not take the request.
    Refuse {
        /// The status, if the request came by HTTP.
        http: u16,
        /// The status, if the request came by gRPC.
        grpc: i32,
        /// How many seconds it asks to wait.
        retry_after: Option<u64>,
    },
}

/// The head of a request that came.
#[derive(Clone, Debug)]
pub struct Head {
    /// When it came.
    pub at: Instant,
    /// The path, which names the signal.
    pub path: String,
    /// The version of HTTP.
    pub version: http::Version,
    /// The header fields.
    pub headers: http::HeaderMap,
}

/// Something that was told, with what it came under.
#[derive(Clone, Debug)]
pub struct Told<T> {
    /// The process, and what the guest adds to it.
    pub resource: Resource,
    /// The library.
    pub scope: InstrumentationScope,
    /// The URL of the scope's schema.
    pub schema_url: String,
    /// What was told.
    pub item: T,
}

#[derive(Default)]
struct Taken {
    answer: Answer,
    heads: Vec<Head>,
    traces: Vec<ExportTraceServiceRequest>,
    metrics: Vec<ExportMetricsServiceRequest>,
    logs: Vec<ExportLogsServiceRequest>,
}

type State = Arc<Mutex<Taken>>;

fn lock(state: &State) -> MutexGuard<'_, Taken> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A collector, which ends when it is dropped.
pub struct Collector {
    address: SocketAddr,
    state: State,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

macro_rules! told {
    ($(#[$doc:meta])* $name:ident: $item:ty, $requests:ident, $by_resource:ident, $by_scope:ident, $items:ident) => {
        $(#[$doc])*
        pub fn $name(&self) -> Vec<Told<$item>> {
            let mut all = Vec::new();
            for by_resource in self.$requests().into_iter().flat_map(|request| request.$by_resource) {
                for by_scope in by_resource.$by_scope {
                    all.extend(by_scope.$items.into_iter().map(|item| Told {
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
    /// Starts one on a free port of this machine.
    ///
    /// # Errors
    /// The system gives no port or no thread.
    pub fn start() -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts one at `address`, for instance where another one was.
    ///
    /// # Errors
    /// The address is in use, or the system gives no thread.
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as `OTEL_EXPORTER_OTLP_ENDPOINT` has it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How it answers from now on.
    pub fn answer(&self, answer: Answer) {
        lock(&self.state).answer = answer;
    }

    /// The heads of the requests that came, the refused ones too.
    pub fn heads(&self) -> Vec<Head> {
        lock(&self.state).heads.clone()
    }

    /// The requests with spans that it took.
    pub fn traces(&self) -> Vec<ExportTraceServiceRequest> {
        lock(&self.state).traces.clone()
    }

    /// The requests with metrics that it took.
    pub fn metrics(&self) -> Vec<ExportMetricsServiceRequest> {
        lock(&self.state).metrics.clone()
    }

    /// The requests with log records that it took.
    pub fn logs(&self) -> Vec<ExportLogsServiceRequest> {
        lock(&self.state).logs.clone()
    }

    told! {
        /// The spans that it took.
        spans: Span, traces, resource_spans, scope_spans, spans
    }
    told! {
        /// The metrics that it took.
        measured: Metric, metrics, resource_metrics, scope_metrics, metrics
    }
    told! {
        /// The log records that it took.
        records: LogRecord, logs, resource_logs, scope_logs, log_records
    }

    /// Waits until `find` finds what it looks for.
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

impl<T> Told<T> {
    /// The text of an attribute of the resource.
    pub fn resource_text(&self, key: &str) -> Option<&str> {
        let found = self.resource.attributes.iter().find(|pair| pair.key == key)?;
        match found.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => Some(text),
            _ => None,
        }
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
