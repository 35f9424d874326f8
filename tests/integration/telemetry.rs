//! Traces, metrics and logs of the real programs, as a collector receives them.

use std::net::SocketAddr;
use std::sync::mpsc;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use rustix::process::Signal;

use crate::support::admin::Admin;
use crate::support::canary::CANARY;
use crate::support::collector::{Collector, attribute, hex};
use crate::support::messaging::Broker;
use crate::support::nats::Nats;
use crate::support::promtool::promtool;
use crate::support::upstream::Upstream;
use crate::support::{Client, Response, Run, eventually, get};

pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const PARENT: &str = "b7ad6b7169203331";

/// Calls the fan-out guest as a client with a sampled or unsampled span.
pub(crate) fn fan_out(front: SocketAddr, second: &str, sampled: bool) -> Response {
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-0{}", u8::from(sampled));
    let mut client = Client::connect(front);
    let [tracestate, baggage] = CARRIED;
    client.start("GET", "/", &[&traceparent, tracestate, baggage, &format!("second: {second}")]);
    client.response()
}

/// The client's trace headers besides `traceparent`.
pub(crate) const CARRIED: [&str; 2] = ["tracestate: vendor=1", "baggage: user=7"];

/// A server that passes on the head of each request.
pub(crate) fn witness() -> (Upstream, mpsc::Receiver<String>) {
    let (heads, seen) = mpsc::channel();
    let upstream = Upstream::start(move |exchange| {
        let _ = heads.send(exchange.head.to_ascii_lowercase());
        exchange.answer("200 OK", &[], "seen");
    });
    (upstream, seen)
}

#[test]
fn a_request_is_one_trace_across_three_processes() {
    let collector = Collector::start();
    let broker = Broker::jetstream();
    let second = collector.configure(Run::guest("hello"), "second").serve();
    let third = collector.configure(broker.worker("work.>"), "third").work();
    let url = format!("http://{}/", second.address);
    let front = collector.configure(broker.run("fan-out").args(["--allow-http", &url]), "front").serve();
    assert_eq!(fan_out(front.address, &url, true).text(), "Hello from Tempo!\n");
    let tree = collector.tree(TRACE, 8);
    let expected = [
        "front: GET (server)",
        "  front: set default (client)",
        "  front: get default (client)",
        "  front: GET (client)",
        "    second: GET (server)",
        "  front: publish work.done (producer)",
        "    third: process work.done (consumer)",
        "      third: increment default (client)",
    ];
    assert_eq!(tree, expected, "{tree:#?}");
    let root = collector.spans().into_iter().find(|(_, span)| hex(&span.parent_span_id) == PARENT).unwrap().1;
    assert_eq!(attribute(&root.attributes, "http.response.status_code").as_deref(), Some("200"));
    assert_eq!(attribute(&root.attributes, "url.path").as_deref(), Some("/"));
    drop(third);
}

#[test]
fn a_trace_that_nobody_listens_to_is_handed_on_as_it_came() {
    let (second, heads) = witness();
    let url = second.url("/");
    let front = Run::guest("fan-out").args(["--allow-http", &url]).serve();
    assert_eq!(fan_out(front.address, &url, true).status, 200);
    let head = heads.recv().unwrap();
    for line in [&format!("traceparent: 00-{TRACE}-{PARENT}-01"), "tracestate: vendor=1", "baggage: user=7"] {
        assert!(head.contains(line), "no `{line}` in {head}");
    }
}

#[test]
fn what_the_client_did_not_sample_is_told_to_nobody() {
    let collector = Collector::start();
    let (second, heads) = witness();
    let url = second.url("/");
    let front = collector.configure(Run::guest("fan-out").args(["--allow-http", &url]), "front").serve();
    assert_eq!(fan_out(front.address, &url, false).status, 200);
    let head = heads.recv().unwrap();
    let line = head.lines().find(|line| line.starts_with("traceparent: ")).unwrap().to_owned();
    assert!(line.contains(TRACE) && line.ends_with("-00") && !line.contains(PARENT), "{line}");
    // A later sampled trace has arrived, so the other would have arrived too.
    assert_eq!(fan_out(front.address, &url, true).status, 200);
    collector.tree(TRACE, 5);
    front.signal(Signal::TERM);
    assert_eq!(collector.spans().len(), 5);
}

/// Downstream services must not record a part of it.
#[test]
fn an_unsampled_trace_is_propagated_as_unsampled() {
    let collector = Collector::start();
    let (second, heads) = witness();
    let url = second.url("/");
    let run = Run::guest("fan-out").args(["--allow-http", &url]).env("OTEL_TRACES_SAMPLER", "parentbased_always_off");
    let front = collector.configure(run, "front").serve();
    let mut client = Client::connect(front.address);
    client.start("GET", "/", &[&format!("second: {url}")]);
    assert_eq!(client.response().status, 200);
    let head = heads.recv().unwrap();
    let line = head.lines().find(|line| line.starts_with("traceparent: 00-")).unwrap();
    assert!(line.ends_with("-00"), "{line}");
}

#[test]
fn the_lines_of_a_guest_belong_to_its_request() {
    let collector = Collector::start();
    let front = collector.configure(Run::guest("hostile"), "front").serve();
    let mut client = Client::connect(front.address);
    client.start("GET", "/log?lines=1", &[&format!("traceparent: 00-{TRACE}-{PARENT}-01")]);
    assert_eq!(client.response().status, 200);
    let record =
        collector.log("a line of the guest", |service, record| service == "front" && hex(&record.trace_id) == TRACE);
    let server = collector.tree(TRACE, 1);
    assert_eq!(server, ["front: GET (server)"]);
    assert!(!record.span_id.is_empty());
}

/// The runtime's own lines about a call: of one that failed before its response, and of one whose response broke off.
#[test]
fn the_lines_about_a_failed_call_belong_to_its_request() {
    let collector = Collector::start();
    let front = collector.configure(Run::guest("hostile"), "front").serve();
    for (target, text) in [("/panic", "the component trapped"), ("/abort?how=error", "broke off")] {
        let mut client = Client::connect(front.address);
        client.start("GET", target, &[&format!("traceparent: 00-{TRACE}-{PARENT}-01")]);
        let _ = client.try_response();
        let record = collector.log(text, |_, record| {
            let body = record.body.as_ref().and_then(|body| body.value.as_ref());
            matches!(body, Some(Value::StringValue(line)) if line.contains(text))
        });
        assert_eq!(hex(&record.trace_id), TRACE, "{target}");
    }
}

#[test]
fn metrics_and_health_are_served_beside_the_component() {
    let front = Run::guest("hello").args(["--admin", "127.0.0.1:0"]).serve();
    let admin = Admin::of(&front);
    assert_eq!((admin.get("/livez").status, admin.get("/readyz").status), (200, 200));
    for _ in 0..3 {
        assert_eq!(get(front.address, "/").status, 200);
    }
    let metrics = admin.get("/metrics").text();
    let count = metrics.lines().find(|line| line.starts_with("http_server_request_duration_seconds_count"));
    assert!(
        count.is_some_and(|line| line.contains("http_response_status_code=\"200\"") && line.ends_with(" 3")),
        "{metrics}"
    );
    for name in
        ["tempo_instances_created_total", "tempo_instances_alive", "tempo_call_memory_bytes", "tempo_call_cpu_time"]
    {
        assert!(metrics.contains(name), "no {name} in {metrics}");
    }
}

#[test]
fn prometheus_reads_the_metrics_of_every_service() {
    let broker = Broker::memory();
    let upstream = Upstream::start(|exchange| exchange.answer("200 OK", &[], "seen"));
    let url = upstream.url("/");
    let front = broker.run("fan-out").args(["--allow-http", &url, "--admin", "127.0.0.1:0"]).serve();
    assert_eq!(fan_out(front.address, &url, true).status, 200);
    let page = Admin::of(&front).get("/metrics").text();
    for family in [
        "http_server_request_duration_seconds",
        "http_client_request_duration_seconds",
        "db_client_operation_duration_seconds",
        "messaging_client_sent_messages_total",
        "tempo_instances_created_total",
        "tempo_call_cpu_time_seconds_total",
    ] {
        assert!(page.contains(&format!("\n# TYPE {family} ")), "no {family} in\n{page}");
    }
    let (status, output) = promtool(&page);
    assert_eq!(status, Some(0), "{output}\n{page}");
}

#[test]
fn a_bad_variable_is_named_and_not_shown() {
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "s3cret"),
        ("OTEL_TRACES_SAMPLER", "s3cret"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cret"),
        ("OTEL_TRACES_EXPORTER", "s3cret"),
    ] {
        let run = Run::guest("hello").env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9").env(name, value);
        let finished = run.finish();
        finished.failed_in_one_line(78, &[name, "(environment)"]);
        assert!(!finished.stderr.contains("s3cret"), "{}", finished.stderr);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    Run::guest("hello").args(["--admin", &address]).finish().failed_in_one_line(69, &[&address, "--admin"]);
}

/// Calls the guest with the SDK, as the client of a trace.
fn ask_in_trace(front: SocketAddr, target: &str) -> u16 {
    let mut client = Client::connect(front);
    client.start("GET", target, &[&format!("traceparent: 00-{TRACE}-{PARENT}-01")]);
    client.response().status
}

#[test]
fn what_a_guest_does_itself_is_part_of_the_tree() {
    let collector = Collector::start();
    let second = collector.configure(Run::guest("hello"), "second").serve();
    let url = format!("http://{}/", second.address);
    let front = collector.configure(Run::guest("otel").args(["--allow-http", &url]), "front").serve();
    assert_eq!(ask_in_trace(front.address, &format!("/send?to={url}")), 200);
    let expected = [
        "front: GET (server)",
        "  front: GET (internal)",
        "    front: send (internal)",
        "      front: GET (client)",
        "        second: GET (server)",
    ];
    assert_eq!(collector.tree(TRACE, 5), expected);
}

#[test]
fn spans_that_overlap_in_a_guest_keep_their_parents() {
    let collector = Collector::start();
    let front = collector.configure(Run::guest("otel"), "front").serve();
    assert_eq!(ask_in_trace(front.address, "/join"), 200);
    let tree = collector.tree(TRACE, 6);
    let below = |parent: &str| {
        let place = tree.iter().position(|line| line.trim_start() == parent).unwrap();
        tree[place + 1].trim_start().to_owned()
    };
    assert_eq!(tree[..2], ["front: GET (server)", "  front: GET (internal)"], "{tree:?}");
    assert_eq!(below("front: left (internal)"), "front: left.after (internal)");
    assert_eq!(below("front: right (internal)"), "front: right.after (internal)");
}

#[test]
fn nothing_of_a_guest_is_lost_at_the_end_of_its_call_or_in_a_trap() {
    let collector = Collector::start();
    let front = collector.configure(Run::guest("otel"), "front").serve();
    assert_eq!(ask_in_trace(front.address, "/panic"), 500);
    let tree = collector.tree(TRACE, 2);
    assert!(tree.contains(&"front: GET (server)".to_owned()), "{tree:?}");
    assert_eq!(ask_in_trace(front.address, "/metrics"), 200);
    assert_eq!(collector.metric("orders").name, "orders");
    assert_eq!(ask_in_trace(front.address, "/logs"), 200);
    let record = collector.log("a record of the guest's", |_, record| {
        matches!(record.body.as_ref().and_then(|body| body.value.as_ref()),
            Some(Value::StringValue(text)) if text == "by tracing")
    });
    assert_eq!(hex(&record.trace_id), TRACE);
}

/// Each call may run in a separate instance; the collector and the page show the sum of all.
#[test]
fn what_guests_measure_is_summed_over_their_calls() {
    let collector = Collector::start();
    let front = collector.configure(Run::guest("otel").args(["--admin", "127.0.0.1:0"]), "front").serve();
    for _ in 0..3 {
        assert_eq!(get(front.address, "/metrics").status, 200);
    }
    let sum = |name: &str, value: i64| {
        eventually(&format!("the {name} of all calls"), || match collector.metric(name).data {
            Some(Data::Sum(sum)) => (sum.data_points[0].value == Some(Number::AsInt(value))).then_some(sum),
            other => panic!("{other:?}"),
        })
    };
    let (orders, baskets) = (sum("orders", 3), sum("baskets", -6));
    assert_eq!((orders.is_monotonic, baskets.is_monotonic), (true, false));
    for sum in [&orders, &baskets] {
        assert_eq!(sum.aggregation_temporality(), AggregationTemporality::Cumulative);
        assert_eq!(sum.data_points.len(), 1);
    }
    assert_eq!(attribute(&orders.data_points[0].attributes, "kind").as_deref(), Some("tea"));
    eventually("the prices of all calls", || match collector.metric("price").data {
        Some(Data::Histogram(prices)) => (prices.data_points[0].bucket_counts == [3, 3]).then_some(()),
        other => panic!("{other:?}"),
    });
    // All of it was exported by now.
    let page = Admin::of(&front).get("/metrics").text();
    for line in [
        "orders_total{kind=\"tea\",otel_scope_name=\"shop\"} 3",
        "baskets{otel_scope_name=\"shop\"} -6",
        "temperature_celsius{otel_scope_name=\"shop\"} 21.5",
        "price_bucket{otel_scope_name=\"shop\",le=\"5\"} 3",
        "price_count{otel_scope_name=\"shop\"} 6",
    ] {
        assert!(page.lines().any(|found| found == line), "no {line} in {page}");
    }
}

/// Without a collector, too.
#[test]
fn what_guests_measure_is_on_the_page_of_a_runtime_that_sends_nothing() {
    let front = Run::guest("otel").args(["--admin", "127.0.0.1:0"]).serve();
    for _ in 0..2 {
        assert_eq!(get(front.address, "/metrics").status, 200);
    }
    let admin = Admin::of(&front);
    eventually("the orders of both calls", || {
        let page = admin.get("/metrics").text();
        page.lines().any(|line| line == "orders_total{kind=\"tea\",otel_scope_name=\"shop\"} 2").then_some(())
    });
}

#[test]
fn a_secret_is_told_to_nobody() {
    const SECRET: &str = CANARY;
    let collector = Collector::start();
    let nats = Nats::start_with(&format!("authorization {{ user: app, password: \"{SECRET}\" }}"));
    let store = |name: &str| format!("nats://app:{SECRET}@{}/{name}", nats.address);
    let (second, _heads) = witness();
    let run = Run::guest("fan-out").args(["--allow-http", &second.url("/"), "--admin", "127.0.0.1:0"]);
    let run = run.args(["--keyvalue", &store("kv"), "--messaging", store("").trim_end_matches('/')]);
    let run = run.args(["--config", &format!("token={SECRET}"), "--env", &format!("TOKEN={SECRET}")]);
    let front = collector.configure(run, "front").serve();
    // In headers, in the query, in the URL of the guest's own request, and in its stored and published data.
    let mut client = Client::connect(front.address);
    let url = second.url(&format!("/hooks/{SECRET}?key={SECRET}"));
    let headers = [format!("authorization: Bearer {SECRET}"), format!("cookie: id={SECRET}"), format!("second: {url}")];
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    let mut headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    headers.push(&traceparent);
    client.start("GET", &format!("/?token={SECRET}"), &headers);
    assert_eq!(client.response().status, 200);
    // The same on failures: the store and the guest's upstream are unreachable.
    drop((nats, second));
    let mut client = Client::connect(front.address);
    client.start("GET", &format!("/?token={SECRET}"), &headers);
    assert_ne!(client.response().status, 200);
    collector.tree(TRACE, 7);
    let metrics = Admin::of(&front).get("/metrics").text();
    assert!(metrics.contains("db_client_operation_duration_seconds"), "{metrics}");
    collector.metric("db.client.operation.duration");
    front.signal(Signal::TERM);
    let said = front.log.to_the_end();
    assert!(collector.has_seen("set default") && metrics.contains("set"), "nothing is scanned");
    for (place, found) in [
        ("what was sent", collector.has_seen(SECRET)),
        ("the metrics", metrics.contains(SECRET)),
        ("the log", said.contains(SECRET)),
    ] {
        assert!(!found, "the secret is in {place}; the log: {said}");
    }
}
