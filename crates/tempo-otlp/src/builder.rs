//! `Builder`: assembles settings, buffers, meters, sinks and the telemetry thread.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::metrics::{MeterProviderBuilder, SdkMeterProvider};
use tempo_telemetry::{ComponentMeter, LiveComponents, Sampler, Signal, Sink, Telemetry};

use crate::admin::prometheus::Scrape;
use crate::config::Config;
use crate::ended_series::EndedSeries;
use crate::guest_metrics::GuestMetrics;
use crate::losses::Losses;
use crate::metrics::{Shared, collect};
use crate::otlp::buffer::Buffer;
use crate::otlp::exporter::Exporter;
use crate::otlp::sender::{Fill, Sender};
use crate::otlp::transport::Transport;
use crate::pipeline::{Buffers, Pipeline};
use crate::resource::Attributes;
use crate::settings::{Exporters, Recording};
use crate::tee::Tee;
use crate::thread::{TelemetryThread, Work};

/// Capacities of the buffers, in bytes, batches in flight included.
const TRACE_BUFFER_BYTES: usize = 2 << 20;
const METRIC_BUFFER_BYTES: usize = 1 << 20;
const LOG_BUFFER_BYTES: usize = 1 << 20;

/// Assembles the telemetry of a process: a [`Config`], and additional readers and sinks.
pub struct Builder {
    component: String,
    runtime: (String, String),
    config: Config,
    provider: MeterProviderBuilder,
    has_reader: bool,
    scrapes: Vec<Scrape>,
    sinks: Vec<Arc<dyn Sink>>,
    tasks: Vec<BoxFuture<'static, ()>>,
}

/// Running telemetry. Dropping it ends the exporters; [`Running::shutdown`] flushes them first.
pub struct Running {
    telemetry: Telemetry,
    thread: TelemetryThread,
    /// Readers hold it weakly.
    _provider: Option<SdkMeterProvider>,
}

/// Starts the exporters of `config`. Returns `None` if it has none. `component` is the name of the served component, `runtime` the name and version of the program.
///
/// # Errors
/// A variable is invalid (the error names it and its source), or the system cannot create a thread.
pub fn start(config: Config, component: &str, runtime: (&str, &str)) -> Result<Option<Running>> {
    Builder::new(config, component, runtime).start()
}

impl Builder {
    /// Begins with `config`. Nothing is connected or started.
    pub fn new(config: Config, component: &str, (name, version): (&str, &str)) -> Self {
        Self {
            config,
            component: component.to_owned(),
            runtime: (name.to_owned(), version.to_owned()),
            provider: SdkMeterProvider::builder(),
            has_reader: false,
            scrapes: Vec::new(),
            sinks: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// Adds a reader of the host's metrics.
    #[must_use]
    pub fn reader(mut self, reader: impl MetricReader) -> Self {
        self.provider = self.provider.with_reader(reader);
        self.has_reader = true;
        self
    }

    /// Adds the metrics of guests to `scrape`. Its reader of the host's metrics is added with [`reader`](Self::reader).
    #[must_use]
    pub fn scrape(mut self, scrape: &Scrape) -> Self {
        self.scrapes.push(scrape.clone());
        self
    }

    /// Adds a sink. It receives the same spans and records as the exporters, for the signals that it enables.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Adds a task that runs on the telemetry thread, so that it makes progress while the serving threads are busy. It
    /// is dropped at shutdown.
    #[must_use]
    pub fn task(mut self, task: impl Future<Output = ()> + Send + 'static) -> Self {
        self.tasks.push(task.boxed());
        self
    }

    /// Starts telemetry. Returns `None` if nothing is configured.
    ///
    /// # Errors
    /// A variable is invalid (the error names it and its source), or the system cannot create a thread.
    pub fn start(mut self) -> Result<Option<Running>> {
        let read = self.has_reader || !self.scrapes.is_empty();
        if self.config.exporters.is_off() && !read && self.sinks.is_empty() && self.tasks.is_empty() {
            return Ok(None);
        }
        let Config { exporters, recording } = std::mem::take(&mut self.config);
        let recording = recording?;
        let (name, version) = std::mem::take(&mut self.runtime);
        let (name, version) = (name.as_str(), version.as_str());
        let attributes = Attributes::new(recording.resource.clone(), &self.component, (name, version));
        let losses = Arc::new(Losses::default());
        let buffer = |signal, exporter: &Option<Exporter>, capacity| {
            exporter.as_ref().map(|_| Buffer::new(signal, capacity, Arc::clone(&losses)))
        };
        let buffers = Buffers {
            traces: buffer(Signal::Traces, &exporters.traces, TRACE_BUFFER_BYTES),
            metrics: buffer(Signal::Metrics, &exporters.metrics, METRIC_BUFFER_BYTES),
            logs: buffer(Signal::Logs, &exporters.logs, LOG_BUFFER_BYTES),
        };
        let (provider, reader) = self.provider(exporters.metrics.is_some(), &attributes, &recording);
        let scope = opentelemetry::InstrumentationScope::builder(name.to_owned()).with_version(version.to_owned());
        let scope = scope.build();
        let meter = provider.as_ref().map(|provider| {
            let meter = provider.meter_with_scope(scope.clone());
            losses.observe(&meter);
            ComponentMeter::new(meter, &self.component)
        });
        let live = meter.as_ref().map(|meter| meter.live_components().clone()).unwrap_or_default();
        let guests = self.guests(exporters.metrics.is_some(), &recording, &losses, &live);
        let read = reader.zip(guests.clone()).map(|(reader, guests)| fill(reader, guests, live));
        let work = Work {
            senders: senders(exporters, &buffers, read, &recording, &attributes, &losses),
            buffers: buffers.all(),
            tasks: self.tasks,
            losses,
        };
        let mut sinks = self.sinks;
        sinks.push(Arc::new(Pipeline::new(buffers, guests, attributes)));
        let sink = Tee::of(sinks);
        let sampler = if sink.enabled(Signal::Traces) { recording.sampler } else { Sampler::AlwaysOff };
        let mut telemetry = Telemetry::builder(sink).scope(InstrumentationScope::from((scope, None))).sampler(sampler);
        if let Some(meter) = meter {
            telemetry = telemetry.meter(meter);
        }
        let telemetry = telemetry.build();
        let thread = TelemetryThread::start(work).context("cannot start a thread for telemetry")?;
        Ok(Some(Running { telemetry, thread, _provider: provider }))
    }

    /// Returns the host's meter provider, if it has a reader, and the reader of the exporter, if metrics are exported.
    fn provider(
        &mut self,
        exported: bool,
        attributes: &Attributes,
        recording: &Recording,
    ) -> (Option<SdkMeterProvider>, Option<Shared>) {
        let reader = exported.then(|| Shared::new(recording.temporality));
        if reader.is_none() && !self.has_reader {
            return (None, None);
        }
        let mut provider = std::mem::take(&mut self.provider).with_resource(attributes.to_sdk());
        if let Some(reader) = &reader {
            provider = provider.with_reader(reader.clone());
        }
        (Some(provider.build()), reader)
    }

    /// Returns the sums of guest metrics, if they are exported or scraped.
    fn guests(
        &self,
        exported: bool,
        recording: &Recording,
        losses: &Arc<Losses>,
        live: &LiveComponents,
    ) -> Option<Arc<GuestMetrics>> {
        let sent = exported.then_some(recording.temporality);
        let scraped = !self.scrapes.is_empty();
        if sent.is_none() && !scraped {
            return None;
        }
        let guests = GuestMetrics::new(sent, scraped, Arc::clone(losses));
        self.scrapes.iter().for_each(|scrape| scrape.show(&guests, live));
        Some(guests)
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("component", &self.component)
            .field("runtime", &self.runtime)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("telemetry", &self.telemetry).finish_non_exhaustive()
    }
}

/// Returns the function that writes all metrics into the buffer of their exporter.
fn fill(reader: Shared, guests: Arc<GuestMetrics>, live: LiveComponents) -> Fill {
    let mut series = EndedSeries::new(live);
    Box::new(move |buffer| {
        let ended = series.begin_export();
        guests.forget(&ended);
        // The host's metrics go first, so that guests cannot crowd them out.
        collect(&reader, &ended, buffer);
        guests.export(buffer);
    })
}

type MakeSender = Box<dyn FnOnce() -> Sender + Send>;

/// Returns a constructor of a sender for each exported signal, to be called on the telemetry thread.
fn senders(
    exporters: Exporters,
    buffers: &Buffers,
    fill: Option<Fill>,
    recording: &Recording,
    attributes: &Attributes,
    losses: &Arc<Losses>,
) -> Vec<MakeSender> {
    let resource: Arc<[u8]> = attributes.encoded().into();
    let make = |exporter: Option<Exporter>, buffer: &Option<Arc<Buffer>>, delay, fill| {
        let (exporter, buffer) = (exporter?, Arc::clone(buffer.as_ref()?));
        let (resource, losses) = (Arc::clone(&resource), Arc::clone(losses));
        Some(Box::new(move || {
            let transport = Transport::new(&exporter);
            Sender { buffer, transport, resource, delay, timeout: exporter.timeout, losses, fill }
        }) as MakeSender)
    };
    let traces = make(exporters.traces, &buffers.traces, recording.spans, None);
    let metrics = make(exporters.metrics, &buffers.metrics, recording.metrics, fill);
    let logs = make(exporters.logs, &buffers.logs, recording.logs, None);
    [traces, metrics, logs].into_iter().flatten().collect()
}

impl Running {
    /// Returns the handle for recording telemetry.
    pub fn telemetry(&self) -> Telemetry {
        self.telemetry.clone()
    }

    /// Flushes the buffers for at most `within`, and ends. Telemetry recorded from now on may be lost.
    pub fn shutdown(self, within: Duration) {
        self.thread.stop(within);
    }
}
