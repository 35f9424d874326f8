//! `--admin` over real connections, checked with Prometheus's own parser.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use tempo_otlp::{ADMIN, Admin, Health, HostName, Listener, RuntimePhase, Scrape};
use tempo_settings::FlagValue as _;
use tempo_telemetry::ComponentMeter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::beside::beside;
use crate::promtool::promtool;
use crate::support::{get, say, status};

fn listener() -> (Listener, SocketAddr) {
    let listener = Listener::bind(([127, 0, 0, 1], 0).into(), &ADMIN).expect("a port");
    let address = listener.address();
    (listener, address)
}

#[test]
fn readiness_follows_the_runtime() {
    let (scrape, _provider) = Scrape::with_provider().unwrap();
    let health = Health::default();
    let (listener, address) = listener();
    beside(Admin::new(health.clone(), scrape).serve(listener), async {
        let (status, body) = get(address, "/readyz").await;
        assert_eq!((status, body.as_str()), (503, "starting: the component is being loaded\n"));
        assert_eq!(get(address, "/livez").await.0, 200);
        health.enter(RuntimePhase::Ready);
        assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));
        let store = Arc::new(());
        health.add_readiness_check(&store, |()| Some("nats: reconnecting".to_owned()));
        assert_eq!(get(address, "/readyz").await, (503, "nats: reconnecting\n".to_owned()));
        assert_eq!(get(address, "/livez").await.0, 200);
        assert_eq!(get(address, "/etc/passwd").await.0, 404);
    });
}

#[test]
fn a_part_that_hangs_is_named() {
    let (scrape, _provider) = Scrape::with_provider().unwrap();
    let health = Health::default();
    let (listener, address) = listener();
    // With a timeout of zero, every thread with a heartbeat counts as hung.
    beside(Admin::new(health.clone(), scrape).with_hang_timeout(Duration::ZERO).serve(listener), async {
        assert_eq!(get(address, "/livez").await, (200, "alive\n".to_owned()));
        let pulse = health.heartbeat("the main loop");
        let (status, body) = get(address, "/livez").await;
        assert_eq!(status, 503);
        assert!(body.starts_with("the main loop hangs: no heartbeat for "), "{body}");
        drop(pulse);
        assert_eq!(get(address, "/livez").await.0, 200);
    });
}

#[test]
fn it_answers_to_names_that_were_given_and_to_no_others() {
    let (scrape, _provider) = Scrape::with_provider().unwrap();
    let (listener, address) = listener();
    beside(
        Admin::new(Health::default(), scrape).serve(listener.with_hosts(&[HostName::parse("app.example").unwrap()])),
        async {
            for (host, expected) in
                [("app.example:9090", 200), ("10.0.0.7", 200), ("[fd00::7]", 200), ("evil.example", 421)]
            {
                let answer =
                    say(address, &format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
                assert_eq!(status(&answer), expected, "{host}");
            }
        },
    );
}

#[test]
fn it_is_read_only_and_checks_the_host() {
    let (scrape, _provider) = Scrape::with_provider().unwrap();
    let (listener, address) = listener();
    beside(Admin::new(Health::default(), scrape).serve(listener), async {
        let ask = |line: &'static str, host: &'static str| {
            let request = format!("{line}\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            async move { say(address, &request).await }
        };
        assert_eq!(status(&ask("GET /livez HTTP/1.1", "localhost:9090").await), 200);
        assert_eq!(status(&ask("GET /livez HTTP/1.1", "[::1]").await), 200);
        assert_eq!(status(&ask("GET /livez HTTP/1.1", "evil.example").await), 421);
        assert_eq!(status(&ask("GET http://evil.example/livez HTTP/1.1", "localhost").await), 421);
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer =
                say(address, &format!("{method} /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
                    .await;
            assert_eq!(status(&answer), 405, "{method}");
            assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
        }
        let head = ask("HEAD /livez HTTP/1.1", "localhost").await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
        for header in [
            "content-security-policy: default-src 'self'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "no {header} in {head}");
        }
        let long = format!("GET /livez HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(10_000));
        assert_eq!(status(&say(address, &long).await), 431);
    });
}

/// Silent clients take all connections, and release them after the head timeout.
#[test]
fn idle_clients_do_not_keep_others_out_for_ever() {
    let (scrape, _provider) = Scrape::with_provider().unwrap();
    let (listener, address) = listener();
    beside(Admin::new(Health::default(), scrape).serve(listener), async {
        let mut idle = Vec::new();
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            stream.write_all(b"GET /livez").await.expect("sent");
            idle.push(stream);
        }
        assert_eq!(get(address, "/livez").await.0, 200);
        let mut rest = Vec::new();
        let _ = idle.remove(0).read_to_end(&mut rest).await;
    });
}

/// Clients that keep their connections open must not block others.
#[test]
fn clients_that_stay_do_not_keep_probes_out() {
    let (scrape, _provider) = Scrape::with_provider().unwrap();
    let (listener, address) = listener();
    beside(Admin::new(Health::default(), scrape).serve(listener), async {
        let mut staying = Vec::new();
        for number in 0..190 {
            let mut stream = TcpStream::connect(address).await.expect("a connection");
            let request = format!("GET /livez HTTP/1.1\r\nhost: {address}\r\nconnection: keep-alive\r\n\r\n");
            // Every other client sends no request.
            if number % 2 == 0 {
                stream.write_all(request.as_bytes()).await.expect("sent");
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.expect("an answer, and the end");
                assert_eq!(status(&answer), 200);
            }
            staying.push(stream);
        }
        assert_eq!(get(address, "/livez").await.0, 200);
    });
}

#[test]
fn prometheus_reads_every_kind_of_metric() {
    let (scrape, provider) = Scrape::with_provider().unwrap();
    let meter = ComponentMeter::new(provider.meter("tempo"), "a \"quoted\"\\\ncomponent\u{7f}");
    record(&meter);
    let (listener, address) = listener();
    let (status, text) = beside(Admin::new(Health::default(), scrape).serve(listener), get(address, "/metrics"));
    assert_eq!(status, 200);
    assert!(text.contains("tempo_limit_hits_total{"), "{text}");
    let (status, output) = promtool(&text);
    assert_eq!(status, Some(0), "{output}\n{text}");
}

/// Records a value in each kind of instrument.
fn record(meter: &ComponentMeter) {
    let labels = [meter.component(), &[KeyValue::new("http.response.status_code", 200)]].concat();
    for seconds in [0.000_02, 0.2, 100.0] {
        meter.seconds("http.server.request.duration", "Requests").record(seconds, &labels);
        meter.short_seconds("tempo.instantiate.duration", "Instantiation").bind(meter.component()).record(seconds);
    }
    meter.counter("tempo.limit.hits", "{hit}", "Hits").add(1, &labels);
    meter.up_down_counter("tempo.instances.alive", "{instance}", "Instances").bind(meter.component()).add(-1);
    let cpu = meter.meter().f64_counter("tempo.call.cpu_time").with_unit("s").with_description("Time");
    cpu.build().add(0.1, &labels);
    let memory = meter.meter().u64_histogram("tempo.call.memory").with_unit("By").with_description("Memory");
    memory.build().record(1 << 20, &labels);
}
