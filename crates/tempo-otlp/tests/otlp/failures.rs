//! Collectors that are absent, slow, hanging, refusing or malformed: deliverable items are delivered, the others are
//! counted.

use std::io::Write as _;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::common::v1::any_value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point;
use tempo_otlp::testing::{Answer, Collector};

use super::support::{Bad, PATIENCE, PROTOCOLS, record_span, start, until};

/// Reached only by a failing test.
const NEVER: &str = "86400000";

/// The last value of a counter, summed over the points with all of `attributes`.
fn count(collector: &Collector, name: &str, attributes: &[(&str, &str)]) -> i64 {
    let metrics = collector.measured();
    let Some(last) = metrics.iter().rev().find(|received| received.item.name == name) else { return 0 };
    let Some(Data::Sum(sum)) = &last.item.data else { return 0 };
    let has = |point: &&opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
        attributes.iter().all(|(key, text)| {
            let text = any_value::Value::StringValue((*text).to_owned());
            point
                .attributes
                .iter()
                .any(|pair| pair.key == *key && pair.value.as_ref().unwrap().value == Some(text.clone()))
        })
    };
    let values = sum.data_points.iter().filter(has).map(|point| match point.value {
        Some(number_data_point::Value::AsInt(value)) => value,
        _ => 0,
    });
    values.sum()
}

fn lost(collector: &Collector, reason: &str) -> i64 {
    count(collector, "tempo.telemetry.dropped", &[("tempo.signal", "traces"), ("error.type", reason)])
}

fn sent(collector: &Collector) -> i64 {
    count(collector, "tempo.telemetry.sent", &[("tempo.signal", "traces")])
}

/// Exports to `endpoint`, and the metrics to `metrics`, where the test reads the counters.
fn watched(endpoint: &str, protocol: &str, metrics: &Collector, timeout: &str) -> tempo_otlp::Running {
    let at = format!("{}/v1/metrics", metrics.endpoint());
    let more = [
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", at.as_str()),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", timeout),
    ];
    start(endpoint, protocol, &more)
}

#[test]
fn an_absent_collector_costs_the_items_only() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    for protocol in PROTOCOLS {
        let metrics = Collector::start().unwrap();
        let running = watched(&endpoint, protocol, &metrics, "1");
        record_span(&running.telemetry(), "x");
        until("it is counted", || lost(&metrics, "unreachable") == 1);
        running.shutdown(PATIENCE);
    }
}

#[test]
fn a_hanging_collector_delays_no_request() {
    for protocol in PROTOCOLS {
        let (bad, metrics) = (Bad::hanging(), Collector::start().unwrap());
        let running = watched(&bad.endpoint(), protocol, &metrics, NEVER);
        let telemetry = running.telemetry();
        record_span(&telemetry, "first");
        until("the first connection", || bad.connections() > 0);
        // Far more than the buffer holds: the excess is dropped without blocking.
        for _ in 0..30_000 {
            record_span(
                &telemetry,
                "a name that takes some room, as there are many of them: ...............................",
            );
        }
        until("drops are counted", || lost(&metrics, "queue_full") > 0);
        assert_eq!(sent(&metrics), 0);
        let start = Instant::now();
        running.shutdown(Duration::from_millis(100));
        // Its own timeout is a day.
        assert!(start.elapsed() < PATIENCE);
        assert_eq!(bad.connections(), 1);
    }
}

#[test]
fn one_that_hangs_is_given_up_in_time() {
    let (bad, metrics) = (Bad::hanging(), Collector::start().unwrap());
    let running = watched(&bad.endpoint(), "http/protobuf", &metrics, "100");
    record_span(&running.telemetry(), "x");
    until("it is counted", || lost(&metrics, "unreachable") == 1);
    running.shutdown(Duration::from_millis(100));
}

#[test]
fn one_that_is_slow_gets_everything() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        collector.answer(Answer::Slowly(Duration::from_secs(1)));
        let running = start(&collector.endpoint(), protocol, &[("OTEL_EXPORTER_OTLP_TIMEOUT", NEVER)]);
        for _ in 0..100 {
            record_span(&running.telemetry(), "x");
        }
        running.shutdown(PATIENCE);
        assert_eq!(collector.spans().len(), 100);
    }
}

#[test]
fn one_that_asks_to_wait_is_left_alone_for_as_long() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        collector.answer(Answer::Refuse { http: 429, grpc: 8, retry_after: Some(2) });
        let more = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_TIMEOUT", NEVER)];
        let running = start(&collector.endpoint(), protocol, &more);
        record_span(&running.telemetry(), "x");
        collector.wait_for("a request", |c| c.heads().pop());
        collector.answer(Answer::Take);
        collector.wait_for("the span", |c| c.spans().pop());
        let times: Vec<_> = collector.heads().into_iter().map(|head| head.at).collect();
        assert!(times.windows(2).all(|two| two[1] - two[0] >= Duration::from_secs(2)), "{times:?}");
        assert_eq!(collector.spans().len(), 1);
        running.shutdown(PATIENCE);
    }
}

#[test]
fn a_request_to_an_overloaded_collector_is_retried() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        collector.answer(Answer::Refuse { http: 503, grpc: 14, retry_after: None });
        let more = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_TIMEOUT", NEVER)];
        let running = start(&collector.endpoint(), protocol, &more);
        record_span(&running.telemetry(), "x");
        collector.wait_for("two attempts", |c| (c.heads().len() >= 2).then_some(()));
        collector.answer(Answer::Take);
        collector.wait_for("the span", |c| c.spans().pop());
        running.shutdown(PATIENCE);
        assert_eq!(collector.spans().len(), 1);
    }
}

#[test]
fn a_rejected_request_is_not_retried() {
    for protocol in PROTOCOLS {
        let (collector, metrics) = (Collector::start().unwrap(), Collector::start().unwrap());
        collector.answer(Answer::Refuse { http: 500, grpc: 13, retry_after: None });
        let running = watched(&collector.endpoint(), protocol, &metrics, NEVER);
        record_span(&running.telemetry(), "refused");
        until("it is counted", || lost(&metrics, "rejected") == 1);
        collector.answer(Answer::Take);
        record_span(&running.telemetry(), "taken");
        collector.wait_for("the other", |c| c.spans().pop());
        running.shutdown(PATIENCE);
        assert_eq!((collector.spans().len(), collector.heads().len()), (1, 2));
    }
}

#[test]
fn what_one_takes_in_part_is_counted_in_part() {
    for protocol in PROTOCOLS {
        let (collector, metrics) = (Collector::start().unwrap(), Collector::start().unwrap());
        collector.answer(Answer::Partly(1));
        let running = watched(&collector.endpoint(), protocol, &metrics, NEVER);
        record_span(&running.telemetry(), "x");
        until("it is counted", || lost(&metrics, "rejected") == 1);
        running.shutdown(PATIENCE);
        assert_eq!((sent(&metrics), collector.heads().len()), (0, 1));
    }
}

#[test]
fn an_answer_that_breaks_off_or_never_ends_is_an_answer_still() {
    let cut = |stream: &mut std::net::TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n\x0a");
        let _ = stream.shutdown(std::net::Shutdown::Both);
    };
    let endless = |stream: &mut std::net::TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    };
    for bad in [Bad::answering(cut), Bad::answering(endless)] {
        let metrics = Collector::start().unwrap();
        let running = watched(&bad.endpoint(), "http/protobuf", &metrics, NEVER);
        for round in 1..=3 {
            record_span(&running.telemetry(), "x");
            until("it counts as sent", || sent(&metrics) == round);
        }
        running.shutdown(PATIENCE);
        assert_eq!(bad.connections(), 3);
    }
}

#[test]
fn one_that_talks_nonsense_is_given_up() {
    for protocol in PROTOCOLS {
        let (bad, metrics) = (
            Bad::start(|mut stream| {
                let _ = stream.write_all(&[0xff; 100_000]);
            }),
            Collector::start().unwrap(),
        );
        let running = watched(&bad.endpoint(), protocol, &metrics, "100");
        record_span(&running.telemetry(), "x");
        until("it is counted", || lost(&metrics, "unreachable") == 1);
        running.shutdown(PATIENCE);
    }
}

#[test]
fn a_collector_that_returns_gets_the_items_recorded_meanwhile() {
    for protocol in PROTOCOLS {
        let collector = Collector::start().unwrap();
        let (endpoint, address) = (collector.endpoint(), collector.address());
        let more = [("OTEL_METRICS_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_TIMEOUT", NEVER)];
        let running = start(&endpoint, protocol, &more);
        record_span(&running.telemetry(), "before");
        collector.wait_for("the first", |c| c.spans().pop());
        drop(collector);
        for _ in 0..10 {
            record_span(&running.telemetry(), "meanwhile");
        }
        // Another program may have taken the port meanwhile.
        let mut again = None;
        until("the port is free", || {
            again = Collector::start_at(address).ok();
            again.is_some()
        });
        again.unwrap().wait_for("the others", |c| (c.spans().len() == 10).then_some(()));
        running.shutdown(PATIENCE);
    }
}
