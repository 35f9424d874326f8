//! Outgoing requests on the wire: the framing of their bodies, and retries after a connection was closed.

use std::net::TcpListener;

use crate::support::upstream::Upstream;
use crate::support::{Client, Server, get, serve_with};

/// Guests that build a request from the query, with their paths: on the bindings of 0.3 and of 0.2.
const RAW: [(&str, &str); 2] = [("hostile-p3", "/fetch"), ("hostile-p2", "/ask")];

/// An upstream that responds with the head of each request.
fn echo() -> Upstream {
    Upstream::start(|exchange| {
        let head = exchange.head.clone();
        exchange.answer("200 OK", &[], &head);
    })
}

fn ask(server: &Server, target: &str) -> String {
    let response = get(server.address, target);
    assert_eq!(response.status, 200, "{target}: {}", response.text());
    response.text().to_lowercase()
}

const METHODS: [(&str, Option<&str>); 6] = [
    ("GET", None),
    ("HEAD", None),
    ("DELETE", None),
    ("OPTIONS", None),
    ("POST", Some("content-length: 0\r\n")),
    ("PUT", Some("content-length: 0\r\n")),
];

#[track_caller]
fn announces(head: &str, method: &str, expected: Option<&str>) {
    if method == "HEAD" {
        return; // The response has no body to show it in.
    }
    assert!(head.contains(&format!("{} / http/1.1\r\n", method.to_lowercase())), "{head}");
    // The head of the response precedes it.
    let head = head.split_once(" / http/1.1").map_or("", |(_, head)| head);
    assert!(!head.contains("transfer-encoding"), "{method}: {head}");
    match expected {
        Some(length) => assert!(head.contains(length), "{method}: {head}"),
        None => assert!(!head.contains("content-length"), "{method}: {head}"),
    }
}

#[test]
fn a_request_without_a_body_announces_none() {
    let upstream = echo();
    for (guest, path) in RAW {
        let server = serve_with(guest, &["--allow-http", &upstream.url("/")]);
        for (method, expected) in METHODS {
            // No body, an empty one, and one with an announced length.
            for body in ["", "&write=0", "&length=0", "&length=0&write=0"] {
                let target = format!("{path}?authority={}&path=/&method={method}{body}", upstream.address);
                announces(&ask(&server, &target), method, expected);
            }
        }
    }
    let server = serve_with("hostile", &["--allow-http", &upstream.url("/")]);
    for (method, expected) in METHODS {
        announces(&ask(&server, &format!("/fetch?method={method}&url={}", upstream.url("/"))), method, expected);
    }
}

#[test]
fn a_get_with_a_streamed_body_goes_out() {
    let upstream = Upstream::start(|mut exchange| {
        let mut body = Vec::new();
        if exchange.head.to_lowercase().contains("transfer-encoding: chunked") {
            while let Ok(Some(chunk)) = exchange.client.chunk() {
                body.extend(chunk);
            }
        }
        exchange.answer("200 OK", &[], &String::from_utf8_lossy(&body));
    });
    for (guest, path) in RAW {
        let server = serve_with(guest, &["--allow-http", &upstream.url("/")]);
        let text = ask(&server, &format!("{path}?authority={}&path=/&write=9", upstream.address));
        assert!(text.ends_with("xxxxxxxxx"), "{guest}: {text}");
    }
}

#[test]
fn a_missing_path_is_the_root() {
    let upstream = echo();
    for (guest, path) in RAW {
        let server = serve_with(guest, &["--allow-http", &upstream.url("/")]);
        let text = ask(&server, &format!("{path}?authority={}", upstream.address));
        assert!(text.contains("get / http/1.1\r\n"), "{guest}: {text}");
    }
    let server = serve_with("hostile", &["--allow-http", &upstream.url("/")]);
    let text = ask(&server, &format!("/fetch?url=http://{}", upstream.address));
    assert!(text.contains("get / http/1.1\r\n"), "{text}");
}

#[test]
fn a_request_on_a_connection_that_was_closed_is_sent_once_more() {
    for (guest, path) in RAW {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The first connection serves one request, and closes after it has received a second one.
        let upstream = std::thread::spawn(move || {
            for _ in 0..2 {
                let mut client = Client::over(listener.accept().unwrap().0);
                take_head(&mut client);
                client.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone");
                take_head(&mut client);
            }
        });
        let server = serve_with(guest, &["--allow-http", &format!("http://{address}")]);
        let target = format!("{path}?authority={address}&path=/");
        for _ in 0..2 {
            assert!(ask(&server, &target).ends_with("done"), "{guest}");
        }
        drop(server);
        upstream.join().unwrap();
    }
}

/// Reads to the end of a head, or of the connection.
fn take_head(client: &mut Client) {
    let mut head = Vec::new();
    while let Ok(byte) = client.take(1) {
        head.extend(byte);
        if head.ends_with(b"\r\n\r\n") {
            break;
        }
    }
}
