//! Settings from variables, spans to record, and a faulty collector.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry::trace::SpanKind;
use tempo_otlp::{Config, Running};
use tempo_settings::{Settings, Value, ValueSource};
use tempo_telemetry::Telemetry;

/// Sufficient for a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Both protocols, by their names in the variable.
pub(crate) const PROTOCOLS: [&str; 2] = ["grpc", "http/protobuf"];

pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let mut settings = Settings::default();
    for (name, text) in variables {
        let flag = tempo_otlp::FLAGS.iter().find(|flag| flag.name == *name).unwrap();
        settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::Environment }]);
    }
    settings
}

/// Starts telemetry that exports to `endpoint` with short delays.
pub(crate) fn start(endpoint: &str, protocol: &str, more: &[(&str, &str)]) -> Running {
    let quick = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "20"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "20"),
    ];
    let settings = settings(&[&quick[..], more].concat());
    tempo_otlp::start(Config::from_settings(&settings).unwrap(), "component", ("tempo-test", "1.2.3")).unwrap().unwrap()
}

/// Records a root span.
pub(crate) fn record_span(telemetry: &Telemetry, name: &'static str) {
    drop(telemetry.start(SpanKind::Internal, None, || name.into()));
}

/// Waits until `done`.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A server that mistreats its connections.
pub(crate) struct Bad {
    pub address: SocketAddr,
    pub connections: Arc<AtomicUsize>,
}

impl Bad {
    /// Calls `misbehave` for each connection, on a thread that ends with the test's process.
    pub(crate) fn start(misbehave: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bad = Self { address: listener.local_addr().unwrap(), connections: Arc::default() };
        let (connections, misbehave) = (bad.connections.clone(), Arc::new(misbehave));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::Relaxed);
                let misbehave = misbehave.clone();
                std::thread::spawn(move || misbehave(stream));
            }
        });
        bad
    }

    /// Accepts connections and never answers.
    pub(crate) fn hanging() -> Self {
        let held = Mutex::new(Vec::new());
        Self::start(move |stream| held.lock().unwrap().push(stream))
    }

    /// Reads HTTP/1.1 requests and answers each with `answer`.
    pub(crate) fn answering(answer: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::start(move |stream| {
            let mut reader = BufReader::new(stream);
            while request(&mut reader).is_some() {
                answer(reader.get_mut());
            }
        })
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Reads one request.
fn request(reader: &mut BufReader<TcpStream>) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim().to_lowercase();
        if line.is_empty() {
            return reader.read_exact(&mut vec![0; length]).ok();
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
}
