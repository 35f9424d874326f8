//! The dashboard, served over HTTP and rendered by a headless Chromium.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::SystemTime;

use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _, UpDownCounter};
use opentelemetry::trace::SpanKind;
use opentelemetry::{KeyValue, SpanId};
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use serde_json::{Value, json};
use tempo_dashboard::{DASHBOARD, Dashboard, Recent};
use tempo_otlp::{Health, Listener, RuntimePhase, Scrape};
use tempo_telemetry::{Origin, Record, Sink as _};

use crate::browser::Browser;
use crate::story::{Story, nanos, span};
use crate::support::{self, get, say, status};

/// A name with which a guest would try script injection.
const HOSTILE: &str = "<script>window.owned = 1</script><img src=x onerror='window.owned = 2'>\"'&\u{202e}";

/// A running dashboard.
pub(crate) struct Served {
    pub address: SocketAddr,
    recent: Recent,
    instruments: SampleInstruments,
    _provider: SdkMeterProvider,
    _stop: Sender<()>,
}

/// The instruments of a runtime that the page has charts for.
struct SampleInstruments {
    requests: Histogram<f64>,
    messages: Histogram<f64>,
    memory: Histogram<u64>,
    cpu: Counter<f64>,
    alive: UpDownCounter<i64>,
    idle: UpDownCounter<i64>,
}

impl Served {
    pub(crate) fn start() -> Self {
        let (scrape, provider) = Scrape::with_provider().unwrap();
        let (recent, health) = (Recent::default(), Health::default());
        health.enter(RuntimePhase::Ready);
        let dashboard = Dashboard::new(recent.clone(), scrape, health);
        let described = dashboard.clone();
        let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &DASHBOARD).unwrap();
        let address = listener.address();
        let (stop, stopped) = channel::<()>();
        std::thread::spawn(move || {
            support::runtime().block_on(async {
                let serving = tokio::spawn(dashboard.serve(listener));
                let _ = tokio::task::spawn_blocking(move || stopped.recv()).await;
                serving.abort();
            });
        });
        // As in a runtime, which listens before the component is loaded.
        described.describe(component());
        let meter = provider.meter("tempo");
        let instruments = SampleInstruments {
            requests: meter.f64_histogram("http.server.request.duration").with_unit("s").build(),
            messages: meter.f64_histogram("messaging.process.duration").with_unit("s").build(),
            memory: meter.u64_histogram("tempo.call.memory").with_unit("By").build(),
            cpu: meter.f64_counter("tempo.call.cpu_time").with_unit("s").build(),
            alive: meter.i64_up_down_counter("tempo.instances.alive").with_unit("{instance}").build(),
            idle: meter.i64_up_down_counter("tempo.instances.idle").with_unit("{instance}").build(),
        };
        Self { address, recent, instruments, _provider: provider, _stop: stop }
    }

    fn line(&self, level: &str, message: &str, span: Option<&opentelemetry::trace::SpanContext>) {
        let record = LogRecord {
            time_unix_nano: nanos(SystemTime::now()),
            severity_number: if level == "error" { 17 } else { 9 },
            body: Some(AnyValue { value: Some(any_value::Value::StringValue(message.to_owned())) }),
            trace_id: span.map(|span| span.trace_id().to_bytes().to_vec()).unwrap_or_default(),
            span_id: span.map(|span| span.span_id().to_bytes().to_vec()).unwrap_or_default(),
            ..LogRecord::default()
        };
        let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
        self.recent.record(Origin::host(&scope), Record::Log(&record));
    }
}

fn component() -> Value {
    json!({
        "component": "shop",
        "wasi": "0.3",
        "imports": [
            { "name": "wasi:http/client@0.3.0", "satisfied_by": "WasiHttp" },
            { "name": "wasmcloud:keyvalue/store@0.2.0", "satisfied_by": "WasiKeyValue" },
            { "name": "tempo:messaging/producer@0.1.0", "satisfied_by": "WasiMessaging" },
        ],
        "exports": [
            { "name": "wasi:http/handler@0.3.0", "called_by": "HttpServer" },
            { "name": "tempo:messaging/handler@0.1.0", "called_by": "MessagingConsumer" },
        ],
        "grants": { "Outgoing HTTP": ["https://pay.example.com"], "Directories": [], "keyvalue": "memory:" },
    })
}

/// An order: received over HTTP, paid at another server, and published to another component.
fn order(served: &Served, number: u64) -> String {
    let story = Story::new(&served.recent);
    let (root, paid, published) = (span(), span(), span());
    let context = story.context(root);
    served.line("info", &format!("order {number} has come in"), Some(&context));
    let handle = story.guest(root, "handle order", (0.3, 17.6), &[("order.id", &number.to_string())], None);
    let load = story.guest(handle, "load order", (0.6, 3.9), &[], None);
    let db = [("db.system.name", "memory"), ("db.operation.name", "get"), ("db.namespace", "default")];
    story.host(load, SpanKind::Client, "get default", (1.1, 3.5), &db);
    let pay = story.guest(handle, "pay", (4.2, 14.0), &[("order.currency", "EUR")], Some("card accepted"));
    let http = [
        ("http.request.method", "POST"),
        ("server.address", "pay.example.com"),
        ("server.port", "443"),
        ("http.response.status_code", "200"),
    ];
    story.host_as(paid, pay, SpanKind::Client, "POST", (4.6, 13.1), &http);
    let topic = [("messaging.system", "memory"), ("messaging.destination.name", "orders.paid")];
    story.host_as(published, handle, SpanKind::Producer, "send orders.paid", (14.6, 16.9), &topic);
    let path = format!("/orders/{number}");
    let request = [
        ("http.request.method", "POST"),
        ("url.path", &*path),
        ("http.response.status_code", "201"),
        ("url.scheme", "http"),
    ];
    story.host_as(root, SpanId::INVALID, SpanKind::Server, "POST", (0.0, 18.0), &request);
    let consumed = [topic[1], ("messaging.operation.name", "process"), ("tempo.outcome", "acked")];
    let message = story.host(published, SpanKind::Consumer, "process orders.paid", (19.5, 24.2), &consumed);
    story.guest(message, "send receipt", (20.0, 23.8), &[], None);
    served.line("info", &format!("order {number} is paid"), Some(&context));
    count(served, 0.018, "201");
    served.instruments.messages.record(0.0047, &[]);
    context.trace_id().to_string()
}

fn plain(served: &Served, path: &str, code: &'static str, millis: f64) {
    let story = Story::new(&served.recent);
    let root = span();
    story.guest(root, "route", (0.1, millis * 0.9), &[], None);
    let mut request = vec![("http.request.method", "GET"), ("url.path", path), ("http.response.status_code", code)];
    if code == "500" {
        request.push(("error.type", "trap"));
        served.line("error", "the component trapped: unreachable", Some(&story.context(root)));
    }
    story.host_as(root, SpanId::INVALID, SpanKind::Server, "GET", (0.0, millis), &request);
    count(served, millis / 1e3, code);
}

fn count(served: &Served, seconds: f64, code: &'static str) {
    served.instruments.requests.record(seconds, &[KeyValue::new("http.response.status_code", code)]);
    served.instruments.memory.record(2_300_000, &[]);
    served.instruments.cpu.add(seconds / 20.0, &[]);
}

/// The rows of the waterfall as `level name class`.
fn waterfall(browser: &mut Browser) -> Vec<String> {
    let rows = browser.eval(
        "[...document.querySelectorAll('#waterfall .span')].map(row => row.getAttribute('aria-level') + ' ' + \
         row.querySelector('.name').textContent + ' ' + row.className.replace('span ', ''))",
    );
    rows.as_array().unwrap().iter().map(|row| row.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_trace_of_host_and_guest_is_one_waterfall() {
    let served = Served::start();
    served.instruments.alive.add(6, &[]);
    served.instruments.idle.add(4, &[]);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", served.address));
    browser.until("document.querySelector('#health').textContent === 'ready'");
    // New rows appear without a reload.
    let trace = order(&served, 41);
    plain(&served, "/health", "200", 0.8);
    plain(&served, "/orders/x", "500", 3.0);
    browser.until("document.querySelectorAll('#calls .call').length === 4");
    let calls =
        browser.eval("[...document.querySelectorAll('#calls .call')].map(row => row.innerText.replace(/\\s+/g, ' '))");
    let calls = calls.to_string();
    for text in ["POST /orders/41 201 18.0 ms", "process orders.paid acked 4.7 ms", "GET /orders/x 500"] {
        assert!(calls.contains(text), "no {text} in {calls}");
    }
    browser.eval(&format!("document.querySelector('#calls .call[title=\"{trace}\"]').click()"));
    let expected = [
        "1 POST/orders/41 host",
        "2 handle order guest",
        "3 load order guest",
        "4 get default host",
        "3 pay guest",
        "4 POSTpay.example.com host",
        "3 send orders.paid host",
        "4 process orders.paid host",
        "5 send receipt guest",
    ];
    assert_eq!(waterfall(&mut browser), expected);
    // Bars are positioned by their times: `pay` begins after 4.2 of 24.2 ms and takes 9.8.
    let bar = "(() => { const bar = [...document.querySelectorAll('#waterfall .span')][4].querySelector('.fill').style; \
               return [parseFloat(bar.left), parseFloat(bar.width)]; })()";
    let bar = browser.eval(bar);
    let near = |value: &Value, wanted: f64| (value.as_f64().unwrap() - wanted).abs() < 0.5;
    assert!(near(&bar[0], 17.4) && near(&bar[1], 40.5), "{bar}");
    browser.eval("document.querySelectorAll('#waterfall .span')[4].click()");
    let detail = browser.eval("document.querySelector('#detail').innerText").to_string();
    for text in ["order.currency", "EUR", "card accepted", "guest shop"] {
        assert!(detail.contains(text), "no {text} in {detail}");
    }
    browser.until("document.querySelectorAll('#lines .line').length === 3");
    browser.eval("document.querySelector('#line-trace').click()");
    browser.until("document.querySelectorAll('#lines .line').length === 2");
    let about = browser.eval("document.querySelector('#about').innerText").to_string();
    assert!(about.contains("wasmcloud:keyvalue/store@0.2.0") && about.contains("https://pay.example.com"), "{about}");
    browser.until("document.querySelector('#charts').innerText.includes('6 / 4')");
    pictures(&mut browser);
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Screenshots of the page, in the target directory.
fn pictures(browser: &mut Browser) {
    browser.eval("document.querySelector('#line-trace').click()");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for (scheme, width, height) in [("light", 1280, 1000), ("dark", 1280, 1000), ("light", 390, 844)] {
        browser.prefer(scheme);
        browser.resize(width, height);
        let fits = "document.documentElement.scrollWidth <= window.innerWidth";
        assert_eq!(browser.eval(fits), json!(true), "{width} pixels are not enough");
        let picture = browser.picture();
        assert!(picture.starts_with(b"\x89PNG"), "no picture");
        std::fs::write(directory.join(format!("dashboard-{scheme}-{width}.png")), picture).unwrap();
    }
}

#[test]
fn names_of_guests_and_clients_are_text() {
    let served = Served::start();
    let story = Story::new(&served.recent);
    let (root, inner) = (span(), span());
    let guest = story.guest(root, HOSTILE, (0.0, 1.0), &[(HOSTILE, HOSTILE)], Some(HOSTILE));
    // Each names the other as its parent, and one takes an ID of the host.
    story.guest(guest, "</style><svg onload='window.owned = 3'>", (-1e9, 1e9), &[], None);
    story.host_as(inner, inner, SpanKind::Client, "its own parent", (0.2, 0.4), &[]);
    let request = [("http.request.method", HOSTILE), ("url.path", HOSTILE), ("http.response.status_code", HOSTILE)];
    story.host_as(root, SpanId::INVALID, SpanKind::Server, HOSTILE, (0.0, 2.0), &request);
    served.line(HOSTILE, HOSTILE, Some(&story.context(root)));
    served.line("constructor", "\u{1b}[31m red\r\nevent: spans\r\ndata: []\r\n\r\n", None);

    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", served.address));
    browser.until("document.querySelectorAll('#calls .call').length === 1");
    browser.eval("document.querySelector('#calls .call').click()");
    browser.until("document.querySelectorAll('#waterfall .span').length === 4");
    for row in 0..4 {
        browser.eval(&format!("document.querySelectorAll('#waterfall .span')[{row}].click()"));
        browser.until("!document.querySelector('#detail').hidden");
        let elements =
            "document.querySelectorAll('main script, main img, main style, main svg[onload], [onerror]').length";
        assert_eq!(browser.eval(elements), json!(0));
    }
    browser.until("document.querySelectorAll('#lines .line').length === 2");
    assert_eq!(browser.eval("document.querySelectorAll('.name')[0].textContent"), json!(HOSTILE.repeat(2)));
    assert_eq!(browser.eval("document.querySelector('#calls .what').textContent"), json!(HOSTILE));
    assert_eq!(browser.eval("typeof window.owned"), json!("undefined"));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_reader_goes_on_where_it_left_off() {
    let served = Served::start();
    order(&served, 1);
    support::runtime().block_on(async {
        let (status, recent) = get(served.address, "/api/recent").await;
        let recent: Value = serde_json::from_str(&recent).unwrap();
        assert_eq!((status, recent["spans"].as_array().unwrap().len()), (200, 9));
        assert_eq!(recent["lines"].as_array().unwrap().len(), 2);
        let (_, about) = get(served.address, "/api/component").await;
        assert_eq!(serde_json::from_str::<Value>(&about).unwrap(), component());
        assert!(get(served.address, "/api/metrics").await.1.contains("http_server_request_duration_seconds"));
        let first = events_until(served.address, "", "event: lines").await;
        assert!(first.contains("event: hello") && first.contains("handle order"), "{first}");
        let seen = first.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
        plain(&served, "/later", "200", 1.0);
        let second = events_until(served.address, &format!("last-event-id: {seen}\r\n"), "event: spans").await;
        assert!(second.contains("/later") && !second.contains("handle order"), "{second}");
        // A reader that was away for long gets the number of lost rows.
        (0..3_000).for_each(|_| served.line("info", "again", None));
        let late = events_until(served.address, &format!("last-event-id: {seen}\r\n"), "event: lines").await;
        assert!(late.contains("event: lost\ndata: 2000\n"), "{}", &late[..late.len().min(2_000)]);
        // An event ID of another run resets the stream.
        let other = events_until(served.address, "last-event-id: abc-999999\r\n", "event: spans").await;
        assert!(other.contains("handle order"), "{other}");
    });
}

#[test]
fn only_those_who_mean_it_may_read() {
    let served = Served::start();
    let stranger = "GET /api/recent HTTP/1.1\r\nhost: evil.example:4000\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&support::runtime().block_on(say(served.address, stranger))), 421);
    assert!(!Dashboard::needs_token(served.address) && Dashboard::needs_token(([0, 0, 0, 0], 4000).into()));
}

/// Reads the event stream until the event `last` is complete.
async fn events_until(address: SocketAddr, header: &str, last: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /events HTTP/1.1\r\nhost: {address}\r\n{header}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut received = String::new();
    let reading = async {
        let mut buffer = vec![0; 64 << 10];
        while !received.find(last).is_some_and(|at| received[at..].contains("\n\n")) {
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "ended: {received}");
            received.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    };
    tokio::time::timeout(support::PATIENCE, reading).await.unwrap_or_else(|_| panic!("no {last}"));
    received
}
