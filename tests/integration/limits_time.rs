//! CPU time and wall-clock time.

use crate::support::{Client, eventually, get, serve_with};

const BOTH: [&str; 2] = ["hostile", "hostile-p2"];

#[test]
fn an_endless_loop_is_ended() {
    for guest in BOTH {
        let server = serve_with(guest, &["--cpu-timeout", "200ms"]);
        let mut client = Client::connect(server.address);
        client.get("/spin").is_plain_refusal(504);
        assert_eq!(client.get("/").status, 200);
        server.log.wait_for("--cpu-timeout");
    }
}

#[test]
fn processor_time_is_counted_and_waiting_is_not() {
    let server = serve_with("hostile", &["--cpu-timeout", "500ms"]);
    assert_eq!(get(server.address, "/sleep?ms=1500").text(), "slept\n");
    get(server.address, "/burn?ms=20000").is_plain_refusal(504);
    assert_eq!(get(server.address, "/burn?ms=10").status, 200);
}

#[test]
fn each_request_of_an_instance_has_its_own_processor_time() {
    let server = serve_with("hostile", &["--cpu-timeout", "1s"]);
    let mut client = Client::connect(server.address);
    for _ in 0..20 {
        assert_eq!(client.get("/burn?ms=100").status, 200);
    }
}

#[test]
fn a_guest_that_never_answers_is_ended() {
    for (guest, target) in [("hostile", "/never"), ("hostile", "/never?how=deadlock"), ("hostile-p2", "/never")] {
        let server = serve_with(guest, &["--request-timeout", "300ms"]);
        let mut client = Client::connect(server.address);
        client.get(target).is_plain_refusal(504);
        assert_eq!(client.get("/").status, 200);
        server.log.wait_for("--request-timeout");
    }
}

#[test]
fn a_stream_that_goes_on_may_take_longer_than_a_response() {
    let server = serve_with("hostile-p2", &["--request-timeout", "1s"]);
    let response = get(server.address, "/stream?chunks=40");
    assert_eq!(response.text().lines().count(), 40);
}

/// With one permit, which is free only once the guest has ended.
const ONE: [&str; 4] = ["--max-requests", "1", "--max-queued-requests", "0"];

#[test]
fn a_reader_that_stalls_does_not_hold_an_instance() {
    let limits = ["--max-streams", "1", "--queue-timeout", "100ms", "--send-timeout", "3s"];
    let server = serve_with("hostile", &limits);
    let mut client = Client::connect(server.address);
    client.start("GET", "/big?mib=1000", &[]);
    client.head();
    assert_eq!(get(server.address, "/big?mib=1").status, 503);
    eventually("the stalled response is given up", || (get(server.address, "/big?mib=1").status == 200).then_some(()));
}

#[test]
fn work_after_the_response_is_done() {
    let server = serve_with("hostile", &[]);
    assert_eq!(get(server.address, "/after?ms=300").text(), "answered\n");
    server.log.wait_for("after 300 ms");
}

#[test]
fn work_after_the_response_is_ended() {
    let server = serve_with("hostile", &[&ONE[..], &["--after-response-timeout", "3s"]].concat());
    assert_eq!(get(server.address, "/after?ms=3600000").text(), "answered\n");
    assert_eq!(get(server.address, "/").status, 503, "it still runs");
    eventually("it is ended", || (get(server.address, "/").status == 200).then_some(()));
}

#[test]
fn an_instance_does_not_answer_while_it_works_on() {
    let server = serve_with("hostile", &[]);
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/counter").text(), "1\n");
    assert_eq!(client.get("/after?ms=2000").text(), "answered\n");
    assert_eq!(client.get("/counter").text(), "1\n", "another instance answers");
}
