//! Responses that their clients do not read.

use rustix::process::Signal;

use crate::support::h2_frames::Frames;
use crate::support::tls::Certificate;
use crate::support::{Client, Run, Server, eventually, get, serve_with};

/// Flags under which only the minimum rate frees permits.
const PACED: [&str; 6] = ["--max-queued-requests", "0", "--request-timeout", "10m", "--send-timeout", "200ms"];

/// Flags under which the minimum rate applies later than a test ends.
const PATIENT: [&str; 4] = ["--request-timeout", "10m", "--send-timeout", "10m"];

fn has_a_place(server: &Server) {
    eventually("a place is free", || (get(server.address, "/").status == 200).then_some(()));
}

#[test]
fn streams_with_a_closed_window_are_reset_and_the_others_go_on() {
    for (guest, target) in [("hostile", "/big?mib=1"), ("hostile-p2", "/stream?chunks=100000")] {
        let server = serve_with(guest, &[&PACED[..], &["--max-requests", "2"]].concat());
        let mut frames = Frames::connect(server.address, 0);
        frames.get(1, target, &[]);
        frames.get(3, target, &[]);
        let (first, data) = frames.until_reset(&[1, 3]);
        assert_eq!((frames.until_reset(&[4 - first]).1, data), (0, 0));
        has_a_place(&server);
        frames.get(5, "/", &[]);
        frames.open_window(5, 1000);
        assert!(!frames.data(5).is_empty());
    }
}

/// h2 would accept the whole response, and could no longer reset the stream.
#[test]
fn a_stream_that_takes_only_the_beginning_of_a_small_answer_is_reset() {
    let server = serve_with("hostile", &PACED);
    let mut frames = Frames::connect(server.address, 100);
    frames.get(1, "/headers", &[("x-long", &"x".repeat(12_000))]);
    assert_eq!(frames.until_reset(&[1]), (1, 100));
    frames.get(3, "/", &[]);
    assert_eq!(frames.data(3), b"hostile\n");
}

#[test]
fn a_connection_that_keeps_the_end_of_a_tiny_answer_waiting_is_ended() {
    let server = serve_with("hostile", &PACED);
    let mut frames = Frames::connect(server.address, 3);
    frames.get(1, "/", &[]);
    assert_eq!(frames.data(1), b"hos");
    while frames.next().is_some() {}
    has_a_place(&server);
}

#[test]
fn a_connection_that_reads_nothing_is_ended() {
    let server = serve_with("hostile", &[&PACED[..], &["--max-requests", "1"]].concat());
    let mut client = Client::connect(server.address);
    client.start("GET", "/big?mib=100", &[]);
    assert_eq!(client.head().status, 200);
    has_a_place(&server);
}

#[test]
fn a_tls_connection_that_reads_nothing_is_ended() {
    let certificate = Certificate::new();
    let server = Run::guest("hostile")
        .args(PACED)
        .args(["--max-requests", "1"])
        .args(["--tls-cert".into(), certificate.cert(), "--tls-key".into(), certificate.key()])
        .serve();
    let (mut client, _) = certificate.connect(&server, &["http/1.1"]);
    client.start("GET", "/big?mib=100", &[]);
    assert_eq!(client.head().status, 200);
    eventually("the place is free", || {
        let (mut other, _) = certificate.connect(&server, &["http/1.1"]);
        (other.get("/").status == 200).then_some(())
    });
}

#[test]
fn what_waits_for_all_clients_together_is_bounded() {
    let server = serve_with("hostile", &[&PATIENT[..], &["--max-send-buffer", "256KiB"]].concat());
    let mut frames = Frames::connect(server.address, 100);
    let streams: Vec<u32> = (0..60).map(|number| 2 * number + 1).collect();
    for stream in &streams {
        frames.get(*stream, "/headers", &[("x-long", &"x".repeat(12_000))]);
    }
    frames.until_reset(&streams);
    has_a_place(&server);
}

#[test]
fn a_server_that_stops_does_not_wait_for_clients_that_read_nothing() {
    let mut server = serve_with("hostile", &[&PATIENT[..], &["--drain-timeout", "10m"]].concat());
    let mut frames = Frames::connect(server.address, 100);
    frames.get(1, "/big?mib=1", &[]);
    assert_eq!(frames.data(1).len(), 100);
    let mut client = Client::connect(server.address);
    client.start("GET", "/big?mib=100", &[]);
    assert_eq!(client.head().status, 200);
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
}
