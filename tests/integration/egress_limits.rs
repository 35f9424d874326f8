//! Outgoing requests: streaming, timeouts, and misbehaving peers.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::support::upstream::Upstream;
use crate::support::{Client, PATIENCE, Server, get, serve_with};

const BOTH: [&str; 2] = ["hostile", "hostile-p2"];

fn fetch(server: &Server, url: &str) -> (u16, String) {
    let response = get(server.address, &format!("/fetch?url={url}"));
    (response.status, response.text())
}

/// A server that passes on each chunk of an upload when it arrives.
fn uploads() -> (Upstream, Receiver<String>) {
    let (sender, receiver) = channel();
    let sender = Mutex::new(sender);
    let upstream = Upstream::start(move |mut exchange| {
        while let Ok(Some(chunk)) = exchange.client.chunk() {
            sender.lock().unwrap().send(String::from_utf8_lossy(&chunk).into_owned()).unwrap();
        }
        exchange.answer("201 Created", &[], "received");
    });
    (upstream, receiver)
}

#[test]
fn an_upload_streams() {
    let (upstream, received) = uploads();
    let server = serve_with("hostile", &["--allow-http", &upstream.url("")]);
    let mut client = Client::connect(server.address);
    client.start("POST", &format!("/upload-to?url={}", upstream.url("/")), &["Transfer-Encoding: chunked"]);
    for piece in ["one", "two", "three"] {
        client.send_chunk(piece);
        let mut got = String::new();
        while got.len() < piece.len() {
            got += &received.recv_timeout(PATIENCE).unwrap();
        }
        assert_eq!(got, piece);
    }
    client.send_chunk("");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (201, "received"));
}

#[test]
fn an_upload_that_breaks_off_is_not_taken_for_complete() {
    let (sender, ended) = channel();
    let sender = Mutex::new(sender);
    let upstream = Upstream::start(move |mut exchange| {
        let end = loop {
            match exchange.client.chunk() {
                Ok(Some(_)) => {}
                end => break end.is_ok(),
            }
        };
        sender.lock().unwrap().send(end).unwrap();
    });
    let server = serve_with("hostile", &["--allow-http", &upstream.url("")]);
    let mut client = Client::connect(server.address);
    client.start("POST", &format!("/upload-to?url={}", upstream.url("/")), &["Transfer-Encoding: chunked"]);
    client.send_chunk("half");
    crate::support::eventually("the upload has begun", || (upstream.accepted() == 1).then_some(()));
    client.disconnect();
    assert!(!ended.recv_timeout(PATIENCE).unwrap(), "the upload was ended as if it were whole");
}

#[test]
fn a_download_streams_through() {
    let (go_on, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let upstream = Upstream::start(move |mut exchange| {
        exchange.client.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in ["one", "two", "three"] {
            exchange.client.send_chunk(piece);
            wait.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        exchange.client.send_chunk("");
    });
    let server = serve_with("hostile", &["--allow-http", &upstream.url("")]);
    let mut client = Client::connect(server.address);
    client.start("GET", &format!("/pass?url={}", upstream.url("/")), &[]);
    assert_eq!(client.head().status, 200);
    for piece in ["one", "two", "three"] {
        assert_eq!(String::from_utf8_lossy(&client.chunk().unwrap().unwrap()), piece);
        go_on.send(()).unwrap();
    }
    assert_eq!(client.chunk().unwrap(), None);
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let upstream = Upstream::start(|mut exchange| drop(exchange.client.rest()));
    for guest in BOTH {
        let arguments = ["--allow-http", &upstream.url(""), "--http-first-byte-timeout", "300ms"];
        let (status, text) = fetch(&serve_with(guest, &arguments), &upstream.url("/"));
        assert_eq!(status, 502, "{text}");
        assert!(text.to_lowercase().contains("timeout"), "{text}");
    }
}

#[test]
fn a_guests_own_timeout_applies() {
    let upstream = Upstream::start(|mut exchange| drop(exchange.client.rest()));
    let server = serve_with("hostile", &["--allow-http", &upstream.url("")]);
    let response = get(server.address, &format!("/fetch?timeout=300&url={}", upstream.url("/")));
    assert_eq!(response.status, 502, "{}", response.text());
    assert!(response.text().to_lowercase().contains("timeout"), "{}", response.text());
}

#[test]
fn a_handshake_that_never_ends_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    for guest in BOTH {
        let (status, text) = fetch(&serve_with(guest, &["--allow-http", &url, "--http-tls-timeout", "300ms"]), &url);
        assert_eq!(status, 502, "{text}");
        assert!(text.to_lowercase().contains("timeout"), "{text}");
    }
}

#[test]
fn nobody_there_is_an_error_of_the_guest_and_no_trap() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{closed}");
    for guest in BOTH {
        let (status, text) = fetch(&serve_with(guest, &["--allow-http", &url]), &url);
        assert_eq!(status, 502, "{text}");
        assert!(text.to_lowercase().replace('-', "").contains("connectionrefused"), "{text}");
    }
}

#[test]
fn an_answer_that_is_not_http_is_an_error_of_the_guest() {
    let nonsense = Upstream::start(|mut exchange| drop(exchange.client.try_send("complete nonsense\r\n\r\n")));
    for guest in BOTH {
        let server = serve_with(guest, &["--allow-http", &nonsense.url("")]);
        let (status, text) = fetch(&server, &nonsense.url("/"));
        assert_eq!(status, 502, "{text}");
        assert_eq!(get(server.address, "/").status, 200);
    }
}

#[test]
fn a_client_that_goes_away_ends_the_outgoing_request() {
    let (sender, gone) = channel();
    let sender = Mutex::new(sender);
    let upstream = Upstream::start(move |mut exchange| {
        drop(exchange.client.rest());
        sender.lock().unwrap().send(()).unwrap();
    });
    let server = serve_with("hostile", &["--allow-http", &upstream.url("")]);
    let mut client = Client::connect(server.address);
    client.start("GET", &format!("/fetch?url={}", upstream.url("/")), &[]);
    crate::support::eventually("the request is sent", || (upstream.accepted() == 1).then_some(()));
    std::thread::sleep(Duration::from_millis(100));
    client.disconnect();
    gone.recv_timeout(Duration::from_secs(20)).expect("the outgoing request was not cancelled");
}
