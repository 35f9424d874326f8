//! Requests between the components of an app, in memory.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::apps::{app, manifest};
use crate::support::admin::Admin;
use crate::support::collector::{Collector, attribute};
use crate::support::{Client, Response, Server, eventually, get};

const GRANT_B: &str = "allow-http = \"http://b.tempo.internal\"";

/// An app of `a`, which clients reach and which may call `b`, and of `b`, which only `a` reaches.
fn chain(a: &str, b: &str, top: &str) -> Server {
    let a_lines = format!("route = \"/*\"\n{GRANT_B}");
    app(&manifest(top, &[("a", a, &a_lines), ("b", b, "")])).serve()
}

fn fetch(server: &Server, url: &str) -> Response {
    get(server.address, &format!("/fetch?url={url}"))
}

fn is_denied(response: &Response) {
    let text = response.text();
    assert!(
        response.status == 502 && (text.contains("HTTP-request-denied") || text.contains("HttpRequestDenied")),
        "{text}"
    );
}

#[test]
fn a_component_reaches_another_across_versions() {
    for (a, b) in
        [("hostile", "hostile"), ("hostile", "hostile-p2"), ("hostile-p2", "hostile"), ("hostile-p2", "hostile-p2")]
    {
        let server = chain(a, b, "");
        for suffix in ["tempo", "spin"] {
            let response = fetch(&server, &format!("http://b.{suffix}.internal/"));
            assert!(
                response.text().starts_with("200") && response.text().ends_with("hostile\n"),
                "{a} {b}: {}",
                response.text()
            );
        }
        let missing = fetch(&server, "http://b.tempo.internal/missing");
        assert!(missing.text().starts_with("404"), "{a} {b}: {}", missing.text());
        let trapped = fetch(&server, "http://b.tempo.internal/panic");
        assert!(
            trapped.text().starts_with("500") && trapped.text().ends_with("the component failed\n"),
            "{}",
            trapped.text()
        );
        assert_eq!(get(server.address, "/").status, 200);
    }
}

#[test]
fn a_component_is_reached_only_by_name() {
    let others = ["*", "http://*", "http://*.internal", "http://c.tempo.internal", "http://b.tempo.internal/granted"];
    for guest in ["hostile", "hostile-p2"] {
        let grants = format!("route = \"/*\"\nallow-http = {others:?}");
        let of_c = "route = \"c.test/\"\nallow-http = \"http://b.tempo.internal\"";
        let server = app(&manifest("", &[("a", guest, &grants), ("b", "hello", ""), ("c", "hello", of_c)])).serve();
        is_denied(&fetch(&server, "http://b.tempo.internal/"));
        server
            .log
            .wait_for("denied a request to the component b: to allow it, add `--allow-http http://b.tempo.internal` component=\"a\"");
        is_denied(&fetch(&server, "http://absent.tempo.internal/"));
        for (url, name, more) in [
            ("http://b.tempo.internal:8080", "b", ""),
            ("https://b.tempo.internal", "b", ""),
            ("https://b.spin.internal:80", "b", ""),
            ("https://d.tempo.internal", "d", ", with `--allow-http http://d.tempo.internal`"),
        ] {
            is_denied(&fetch(&server, &format!("{url}/granted/x")));
            let host = url.split("//").nth(1).unwrap().split(':').next().unwrap();
            let hint = format!("it is reached at http://{host}, without TLS and without a port{more} component=\"a\"");
            server.log.wait_for(&format!("denied a request to the component {name} at {url}: {hint}"));
        }
        assert!(fetch(&server, "http://b.tempo.internal/granted/x").text().starts_with("200"));
        assert!(fetch(&server, "http://c.spin.internal/").text().starts_with("200"));
    }
}

#[test]
fn clients_cannot_name_a_component_as_the_host() {
    let server = chain("hostile", "hostile", "");
    for host in ["b.tempo.internal", "B.spin.internal:80", "a.tempo.internal."] {
        let mut client = Client::connect(server.address);
        client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        client.response().is_plain_refusal(400);
    }
    // The one that is called gets the host that was checked.
    let head = fetch(&server, "http://B.tempo.internal/head").text();
    assert!(head.ends_with("GET http://b.tempo.internal/head\n"), "{head}");
}

#[test]
fn bodies_stream_in_both_directions() {
    for (a, b) in [("hostile", "hostile"), ("hostile", "hostile-p2")] {
        let server = chain(a, b, "");
        let mut client = Client::connect(server.address);
        client.start("POST", "/upload-to?url=http://b.tempo.internal/echo", &["Transfer-Encoding: chunked"]);
        client.send_chunk("first");
        let head = client.head();
        assert_eq!(head.status, 200, "{a} {b}");
        // Echoed before the request has ended.
        assert_eq!(client.chunk().unwrap().as_deref(), Some(&b"first"[..]));
        let large = vec![b'x'; 1 << 20];
        client.send_chunk(&large);
        client.send_chunk("");
        let mut echoed = 0;
        while let Some(chunk) = client.chunk().unwrap() {
            echoed += chunk.len();
        }
        assert_eq!(echoed, large.len(), "{a} {b}");
    }
}

#[test]
fn a_chain_of_sixteen_calls_is_the_longest() {
    let text = manifest("", &[("a", "hostile", "route = \"/*\"\nallow-http = \"http://a.tempo.internal\"")]);
    let server = app(&text).serve();
    let nested = |calls: usize| {
        let url = (1..calls)
            .fold("http://a.tempo.internal/".to_owned(), |url, _| format!("http://a.tempo.internal/fetch?url={url}"));
        fetch(&server, &url).text()
    };
    let sixteen = nested(16);
    assert!(sixteen.ends_with("hostile\n"), "{sixteen}");
    let more = nested(17);
    assert!(more.contains("loop-detected"), "{more}");
}

#[test]
fn full_permits_do_not_deadlock() {
    let grants = "allow-http = [\"http://a.tempo.internal\", \"http://b.tempo.internal\"]";
    let a = format!("route = \"/*\"\n{grants}");
    // Calls wait for each other for longer than a slow machine takes; a deadlock lasts longer.
    let top = "max-requests = 1\nqueue-timeout = \"1m\"\nrequest-timeout = \"10m\"";
    let server = app(&manifest(top, &[("a", "hostile", &a), ("b", "hostile-p2", grants)])).serve();
    let url = "http://b.tempo.internal/fetch?url=http://a.tempo.internal/fetch?url=http://b.tempo.internal/";
    for _ in 0..20 {
        let answers: Vec<_> = std::thread::scope(|scope| {
            let asked = [(); 4].map(|()| scope.spawn(|| fetch(&server, url)));
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        for answer in answers {
            assert!(answer.text().ends_with("hostile\n"), "{}", answer.text());
        }
    }
}

#[test]
fn a_caller_that_ends_ends_the_one_that_it_called() {
    let server = chain("hostile", "hostile", "admin = \"127.0.0.1:0\"\nrequest-timeout = \"10m\"");
    let admin = Admin::of(&server);
    let alive = |component: &str| {
        let metrics = admin.get("/metrics").text();
        let start = format!("tempo_instances_alive{{tempo_component=\"{component}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
    };
    for target in ["/fetch?url=http://b.tempo.internal/never", "/pass?url=http://b.tempo.internal/big?mib=1000"] {
        let mut client = Client::connect(server.address);
        client.start("GET", target, &[]);
        eventually("b runs", || (alive("b").as_deref() == Some("1")).then_some(()));
        client.disconnect();
        eventually("b has ended", || (alive("b").as_deref() == Some("0")).then_some(()));
    }
    assert!(fetch(&server, "http://b.tempo.internal/").text().starts_with("200"));
}

#[test]
fn the_time_of_a_call_is_its_own() {
    let server = chain("hostile", "hostile", "cpu-timeout = \"200ms\"");
    // Each computes for less than its limit, and both together for more.
    for _ in 0..3 {
        let burnt = fetch(&server, "http://b.tempo.internal/burn?ms=100");
        assert!(burnt.text().starts_with("200"), "{}", burnt.text());
    }
    let spun = fetch(&server, "http://b.tempo.internal/spin");
    assert!(
        spun.text().starts_with("504") && spun.text().ends_with("the component took too long\n"),
        "{}",
        spun.text()
    );
    let waited = get(server.address, "/fetch?url=http://b.tempo.internal/never&timeout=50");
    assert_eq!(waited.status, 502, "{}", waited.text());
}

#[test]
fn the_trace_continues_and_its_spans_name_the_component() {
    let collector = Collector::start();
    let a = format!("route = \"/*\"\n{GRANT_B}");
    let run = app(&manifest("", &[("a", "hostile", &a), ("b", "hostile-p2", "")]));
    let server = collector.configure(run, "app").serve();
    assert!(fetch(&server, "http://b.tempo.internal/").text().starts_with("200"));
    let spans = eventually("three spans", || Some(collector.spans()).filter(|spans| spans.len() >= 3));
    let find = |component: &str, kind: SpanKind| {
        let of_component =
            |span: &&(String, Span)| attribute(&span.1.attributes, "tempo.component").as_deref() == Some(component);
        let mut found = spans.iter().filter(of_component).filter(|(_, span)| span.kind == kind as i32);
        found.next().map(|(_, span)| span.clone()).unwrap_or_else(|| panic!("no span of {component} in {spans:?}"))
    };
    let (served, sent, called) =
        (find("a", SpanKind::Server), find("a", SpanKind::Client), find("b", SpanKind::Server));
    assert_eq!((&sent.parent_span_id, &called.parent_span_id), (&served.span_id, &sent.span_id));
    assert_eq!((&sent.trace_id, &called.trace_id), (&served.trace_id, &served.trace_id));
}

#[test]
fn calls_are_counted_for_each_component() {
    let server = chain("hostile", "hostile-p2", "admin = \"127.0.0.1:0\"");
    assert!(fetch(&server, "http://b.tempo.internal/").text().starts_with("200"));
    let metrics = Admin::of(&server).get("/metrics").text();
    let durations = |component: &str, kind: &str| {
        let start = format!("http_{kind}_request_duration_seconds_count{{");
        let named = format!("tempo_component=\"{component}\"");
        metrics.lines().any(|line| line.starts_with(&start) && line.contains(&named))
    };
    assert!(durations("a", "server") && durations("b", "server") && durations("a", "client"), "{metrics}");
    assert!(!durations("b", "client"), "{metrics}");
}
