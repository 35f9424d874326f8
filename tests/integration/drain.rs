//! SIGTERM and SIGINT: the server completes accepted requests, then exits with 0.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use rustix::process::Signal;

use crate::support::h2::{block_on, connect, empty, request, whole};
use crate::support::{Client, eventually, get, serve, serve_with};

#[test]
fn a_slow_request_is_finished() {
    for (guest, signal) in
        [("hostile", Signal::TERM), ("hostile", Signal::INT), ("hostile-p2", Signal::TERM), ("hostile-p2", Signal::INT)]
    {
        let mut server = serve(guest);
        let mut client = Client::connect(server.address);
        assert_eq!(client.get("/").status, 200);
        client.start("GET", "/sleep?ms=1500", &[]);
        thread::sleep(std::time::Duration::from_millis(300));
        server.signal(signal);
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (200, "slept\n"));
        assert_eq!(response.header("connection"), Some("close"));
        assert_eq!(server.exit_code(), Some(0));
    }
}

#[test]
fn a_streaming_response_is_finished() {
    let mut server = serve("hostile-p2");
    let mut client = Client::connect(server.address);
    client.start("GET", "/stream?chunks=30", &[]);
    assert_eq!(client.head().status, 200);
    client.chunk().unwrap().unwrap();
    server.signal(Signal::TERM);
    let mut last = Vec::new();
    while let Some(chunk) = client.chunk().unwrap() {
        last = chunk;
    }
    assert_eq!(String::from_utf8_lossy(&last), "chunk 30\n");
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn work_after_the_response_is_finished() {
    let mut server = serve("hostile");
    assert_eq!(get(server.address, "/after?ms=1000").text(), "answered\n");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert_eq!(server.log.count("after 1000 ms"), 1);
}

/// The client has received the whole announced length, so the response is complete, whether the guest has closed its
/// body or not.
#[test]
fn work_after_the_last_byte_of_the_response_is_finished() {
    let mut server = serve("hostile");
    assert_eq!(get(server.address, "/after/open?ms=1000").text(), "answered\n");
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
    assert_eq!(server.log.count("after 1000 ms"), 1);
}

#[test]
fn http_2_streams_are_finished() {
    let mut server = serve("hostile");
    block_on(async {
        let mut sender = connect(server.address).await;
        let slow = sender.send_request(request("GET", "/sleep?ms=1500", empty()));
        let signal = async {
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            server.signal(Signal::TERM);
        };
        let (response, ()) = futures::future::join(slow, signal).await;
        assert_eq!(whole(response.unwrap()).await.1, "slept\n");
    });
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let mut server = serve_with("hello", &["--drain-timeout", "10m"]);
    let mut idle = Client::connect(server.address);
    assert_eq!(idle.get("/").status, 200);
    let mut silent = Client::connect(server.address);
    // Connections are accepted in order, so the silent one is accepted by now.
    assert_eq!(get(server.address, "/").status, 200);
    server.signal(Signal::TERM);
    idle.is_closed();
    silent.is_closed();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let mut server = serve_with("hostile", &["--request-timeout", "10m", "--drain-timeout", "10m"]);
        let mut client = Client::connect(server.address);
        client.start("GET", "/never", &[]);
        thread::sleep(std::time::Duration::from_millis(300));
        server.signal(signal);
        server.log.wait_for("stopping");
        assert!(server.is_running(), "a request still runs");
        server.signal(signal);
        assert_eq!(server.exit_code(), Some(code));
    }
}

#[test]
fn draining_ends_in_time() {
    let mut server = serve_with("hostile", &["--request-timeout", "10m", "--drain-timeout", "700ms"]);
    let mut client = Client::connect(server.address);
    client.start("GET", "/never", &[]);
    thread::sleep(std::time::Duration::from_millis(300));
    server.signal(Signal::TERM);
    assert_eq!(server.exit_code(), Some(0));
}

/// Sends requests over one connection after another until the listener is closed. Returns the number of responses, and
/// the number of requests that the server received without a response.
fn hammer(address: SocketAddr, answered: &AtomicUsize) -> usize {
    let mut unanswered = 0;
    while let Ok(mut client) = Client::try_connect(address) {
        for number in 0.. {
            if client.try_send("GET /sleep?ms=5 HTTP/1.1\r\nHost: a\r\n\r\n").is_err() && number == 0 {
                break;
            }
            match client.try_response() {
                Ok(response) => {
                    assert_eq!(response.status, 200);
                    answered.fetch_add(1, SeqCst);
                    if response.header("connection") == Some("close") {
                        break;
                    }
                }
                // The kernel accepted the connection and reset it when the listener was closed: the server received
                // nothing.
                Err(error) if number == 0 && error.kind() == ErrorKind::ConnectionReset => break,
                Err(_) => {
                    unanswered += 1;
                    break;
                }
            }
        }
    }
    unanswered
}

#[test]
fn no_accepted_request_fails_under_load() {
    for guest in ["hostile", "hostile-p2"] {
        let mut server = serve(guest);
        let address = server.address;
        let answered = AtomicUsize::new(0);
        let unanswered: usize = thread::scope(|scope| {
            let clients: Vec<_> = (0..16).map(|_| scope.spawn(|| hammer(address, &answered))).collect();
            eventually("the load runs", || (answered.load(SeqCst) > 500).then_some(()));
            server.signal(Signal::TERM);
            clients.into_iter().map(|client| client.join().unwrap()).sum()
        });
        assert_eq!(server.exit_code(), Some(0));
        assert_eq!(unanswered, 0, "of {} requests", answered.load(SeqCst));
    }
}
