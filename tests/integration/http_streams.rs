//! Responses that stream for longer than a request may take: server-sent events.

use crate::support::browser::Browser;
use crate::support::h2_frames::Frames;
use crate::support::{Client, Run, eventually, get, serve_with};

/// Limits of ordinary requests that are shorter than the pauses of the streams.
const SHORT: [&str; 4] = ["--request-timeout", "1s", "--send-timeout", "1s"];

/// A stream with pauses of 2.5 s, of each version of WASI.
const QUIET: [(&str, &str); 2] =
    [("events", "/events?every=2500&count=2"), ("hostile-p2", "/stream?pause=2500&chunks=2")];

#[test]
fn a_stream_may_pause_for_longer_than_a_request_may_take() {
    for (guest, target) in QUIET {
        let server = serve_with(guest, &SHORT);
        let mut frames = Frames::connect(server.address, 1000);
        frames.get(1, target, &[]);
        let response = get(server.address, target);
        assert_eq!(response.status, 200, "{guest}");
        assert_eq!(response.text().matches('2').count(), if guest == "events" { 2 } else { 1 }, "{}", response.text());
        let events = [frames.data(1), frames.data(1)].concat();
        assert_eq!(String::from_utf8_lossy(&events), response.text());
    }
}

#[test]
fn a_stream_that_pauses_for_too_long_is_ended() {
    for (guest, target) in QUIET {
        let server = serve_with(guest, &["--stream-idle-timeout", "300ms"]);
        let mut client = Client::connect(server.address);
        client.start("GET", target, &[]);
        client.try_response().unwrap_err();
        server.log.wait_for("(--stream-idle-timeout)");
        assert_eq!(get(server.address, "/").status, 200);
    }
}

#[test]
fn a_stream_regains_processor_time_and_a_busy_one_is_ended() {
    let server = serve_with("events", &["--cpu-timeout", "100ms"]);
    let response = get(server.address, "/events?every=100&work=6&count=30");
    assert!(response.text().ends_with("data: event 30\n\n"), "{}", response.text());
    let mut client = Client::connect(server.address);
    client.start("GET", "/events?every=1&work=10000", &[]);
    client.try_response().unwrap_err();
    server.log.wait_for("(--cpu-timeout)");
}

#[test]
fn streams_take_no_place_of_requests_and_are_limited() {
    for (guest, target) in QUIET {
        let limits =
            ["--max-requests", "1", "--max-queued-requests", "1", "--max-streams", "2", "--queue-timeout", "300ms"];
        let server = serve_with(guest, &[&limits[..], &["--request-timeout", "10m"]].concat());
        let open = || {
            let mut client = Client::connect(server.address);
            client.start("GET", &target.replace("2500", "600000"), &[]);
            let head = client.head();
            (client, head)
        };
        let (first, second) = (open(), open());
        assert_eq!((first.1.status, second.1.status), (200, 200), "{guest}");
        for _ in 0..3 {
            assert_eq!(get(server.address, "/").status, 200, "{guest}");
        }
        let refused = get(server.address, target);
        refused.is_plain_refusal(503);
        assert_eq!(refused.header("retry-after"), Some("1"));
        first.0.disconnect();
        eventually("a stream has a place", || (open().1.status == 200).then_some(()));
    }
}

#[test]
fn a_stopping_server_waits_for_streams() {
    let server = serve_with("events", &SHORT);
    let mut client = Client::connect(server.address);
    client.start("GET", "/events?every=1500&count=2", &[]);
    assert_eq!(client.head().status, 200);
    server.signal(rustix::process::Signal::TERM);
    while client.chunk().unwrap().is_some() {}
}

#[test]
fn a_component_reads_a_quiet_stream_of_another() {
    let upstream = serve_with("events", &[]);
    let origin = format!("http://{}", upstream.address);
    for (limit, whole) in [("5m", true), ("300ms", false)] {
        let allowed = ["--allow-http", &origin, "--http-between-bytes-timeout", limit];
        let server = serve_with("axum", &[&allowed[..], &SHORT].concat());
        let mut client = Client::connect(server.address);
        client.start("GET", &format!("/proxy?url={origin}/events%3Fevery=1500%26count=2"), &[]);
        let response = client.try_response();
        let events = response.map(|response| response.text().matches("data:").count()).unwrap_or_default();
        assert_eq!(events == 2, whole, "{limit}");
    }
}

#[test]
fn a_browser_shows_the_events_without_reconnecting() {
    let server = Run::guest("events").args(SHORT).serve();
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/?every=1500", server.address));
    browser.until("document.querySelectorAll('li').length >= 3");
    assert_eq!(browser.eval("document.getElementById('state').textContent"), "connected");
    assert_eq!(browser.eval("document.querySelector('li').textContent"), "event 1");
    assert!(browser.complaints().is_empty(), "{:?}", browser.complaints());
}
