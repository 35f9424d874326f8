//! Records that reach a sink of the runtime.

use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use tempo_settings::Settings;
use tempo_telemetry::{Origin, Sampler, Sink};

use super::*;
use crate::conformance::{self, Arrived, Received};

#[derive(Default)]
struct RecordingSink {
    arrived: Mutex<Arrived>,
    deaf: AtomicBool,
}

fn received<M: Clone>(origin: Origin<'_>, message: &M) -> Received<M> {
    Received {
        resource: origin.resource.unwrap().clone(),
        scope: origin.scope.clone(),
        schema_url: origin.schema_url.to_owned(),
        message: message.clone(),
    }
}

impl Sink for RecordingSink {
    fn enabled(&self, _: Signal) -> bool {
        !self.deaf.load(Ordering::Relaxed)
    }

    fn record(&self, origin: Origin<'_>, record: Record<'_>) {
        let mut arrived = self.arrived.lock().unwrap();
        match record {
            Record::Span(span) => arrived.spans.push(received(origin, span)),
            Record::Metric(metric) => arrived.metrics.push(received(origin, metric)),
            Record::Log(record) => arrived.logs.push(received(origin, record)),
        }
    }

    fn reserves(&self, key: &str) -> bool {
        key == "service.name"
    }
}

fn telemetry() -> (Telemetry, Arc<RecordingSink>) {
    let sink = Arc::new(RecordingSink::default());
    (Telemetry::builder(sink.clone()).sampler(Sampler::ParentBased(1.0)).build(), sink)
}

#[test]
fn conforms() {
    let (telemetry, sink) = telemetry();
    let backend = HostTelemetry::new("app", &telemetry, &Limits::default());
    let arrived = || std::mem::take(&mut *sink.arrived.lock().unwrap());
    conformance::run(backend.state.collector.clone(), arrived).unwrap();
}

#[test]
fn a_recorder_conforms() {
    let recorder = Arc::new(conformance::Recorder::default());
    conformance::run(recorder.clone(), || recorder.take()).unwrap();
}

#[test]
fn the_suite_finds_what_is_missing() {
    let recorder = Arc::new(conformance::Recorder::default());
    let spoil: [fn(&mut Arrived); 4] = [
        |arrived| arrived.spans.truncate(1),
        |arrived| arrived.spans[1].message.end_time_unix_nano += 1,
        |arrived| arrived.metrics[0].resource.attributes.clear(),
        |arrived| arrived.logs[0].scope.name.push('x'),
    ];
    for spoil in spoil {
        let arrived = || {
            let mut arrived = recorder.take();
            spoil(&mut arrived);
            arrived
        };
        conformance::run(recorder.clone(), arrived).unwrap_err();
    }
}

#[test]
fn only_the_host_says_what_it_reserves() {
    use crate::bindings::wasi::otel::types;
    let (telemetry, _) = telemetry();
    let backend = HostTelemetry::new("app", &telemetry, &Limits::default());
    let given = ["service.name", "guest.name"]
        .map(|key| types::KeyValue { key: key.to_owned(), value: r#""mine""#.to_owned() });
    let resource = backend.state.view().resource(types::Resource { attributes: given.into(), schema_url: None });
    let value = Some(AnyValue { value: Some(Value::StringValue("mine".to_owned())) });
    let kept = KeyValue { key: "guest.name".to_owned(), value, key_strindex: 0 };
    assert_eq!(resource, Resource { attributes: vec![kept], ..Resource::default() });
}

/// Polls a future that is ready at once.
fn connected(telemetry: &Telemetry) -> HostTelemetry {
    let (limits, settings) = (Limits::default(), Settings::default());
    let boot = BootContext::new("app", &limits, &settings).with_telemetry(telemetry);
    let mut connect = std::pin::pin!(HostTelemetry::connect(boot));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match connect.as_mut().poll(&mut context) {
        std::task::Poll::Ready(backend) => backend.unwrap(),
        std::task::Poll::Pending => panic!("there is nothing to wait for"),
    }
}

#[test]
fn a_component_of_an_app_is_named() {
    let (telemetry, sink) = telemetry();
    for (telemetry, expected) in [(telemetry.in_app("api"), Some("tempo.component")), (telemetry, None)] {
        let collector = HostTelemetry::new("api", &telemetry, &Limits::default()).state.collector;
        let (resource, scope) = (Resource::default(), Default::default());
        let origin = crate::Origin { resource: &resource, scope: &scope, schema_url: "" };
        collector.span(origin, Span::default());
        collector.log(origin, LogRecord::default());
        let arrived = std::mem::take(&mut *sink.arrived.lock().unwrap());
        let (span, log) = (&arrived.spans[0].message.attributes, &arrived.logs[0].message.attributes);
        for attributes in [span, log] {
            assert_eq!(attributes.first().map(|attribute| &*attribute.key), expected);
        }
    }
}

#[test]
fn without_telemetry_nothing_is_wanted() {
    let off = connected(&Telemetry::off());
    let (on, sink) = telemetry();
    let on = connected(&on);
    for signal in [Signal::Traces, Signal::Metrics, Signal::Logs] {
        assert!(!off.state.collector.enabled(signal) && on.state.collector.enabled(signal));
    }
    sink.deaf.store(true, Ordering::Relaxed);
    assert!(!on.state.collector.enabled(Signal::Traces));
}

#[test]
fn what_was_dropped_is_said_once_a_minute_and_at_the_end() {
    let output = Lines::default();
    let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(output.clone()).finish();
    ::tracing::subscriber::with_default(subscriber, || {
        let backend = HostTelemetry::new("app", &Telemetry::off(), &Limits::default());
        for _ in 0..3 {
            backend.state.collector.dropped(Signal::Traces, Dropped::Rate, 2);
        }
        backend.state.collector.dropped(Signal::Metrics, Dropped::Invalid, 5);
    });
    let lines = String::from_utf8(output.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = lines.lines().map(str::trim).collect();
    let what = r#"WARN guest: telemetry of the component was dropped component="app""#;
    assert_eq!(lines, [format!("{what} spans=2 points=0 logs=0 why=Rate"), format!("{what} spans=4 points=5 logs=0")]);
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl tracing_subscriber::fmt::MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
