//! The fields and targets of requests that reach a guest, and the requests that are rejected.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use http::HeaderValue;

use crate::support::h2::{block_on, connect, empty, request, whole};
use crate::support::upstream::Upstream;
use crate::support::{Client, Server, get, serve, serve_with};

const BOTH: [&str; 2] = ["hostile-p3", "hostile-p2"];

#[test]
fn cookies_of_http_2_are_joined() {
    for guest in BOTH {
        let server = serve(guest);
        block_on(async {
            let mut sender = connect(server.address).await;
            let mut crumbs = request("GET", "/headers", empty());
            for crumb in ["a=1", "b=2; c=3", "d=4"] {
                crumbs.headers_mut().append("cookie", HeaderValue::from_static(crumb));
            }
            let text = whole(sender.send_request(crumbs).await.unwrap()).await.1;
            assert_eq!(text.matches("cookie:").count(), 1, "{text}");
            assert!(text.contains("cookie: a=1; b=2; c=3; d=4\n"), "{text}");
        });
    }
}

#[test]
fn what_connection_names_stays_with_the_server() {
    for guest in BOTH {
        let server = serve(guest);
        let mut client = Client::connect(server.address);
        client.start(
            "GET",
            "/headers",
            &["Connection: keep-alive, X-One", "X-One: 1", "X-Two: 2", "Connection: x-three", "X-Three: 3"],
        );
        let text = client.response().text();
        assert!(text.contains("x-two: 2\n"), "{text}");
        for gone in ["x-one", "x-three", "connection"] {
            assert!(!text.contains(gone), "{text}");
        }
    }
}

#[test]
fn what_connection_names_in_an_upstreams_response_stays_with_the_client() {
    let upstream = Upstream::start(|exchange| {
        let fields = ["Connection: X-One", "X-One: 1", "Keep-Alive: timeout=5", "X-Two: 2"];
        exchange.answer("200 OK", &fields, "body");
    });
    for (guest, path) in [("hostile-p3", "/fetch"), ("hostile-p2", "/ask")] {
        let server = serve_with(guest, &["--allow-http", &upstream.url("/")]);
        let target = format!("{path}?authority={}&path=/", upstream.address);
        let text = get(server.address, &target).text();
        assert!(text.starts_with("200\n") && text.contains("x-two: 2\n") && text.ends_with("body"), "{text}");
        for gone in ["x-one", "keep-alive", "connection"] {
            assert!(!text.contains(gone), "{text}");
        }
    }
}

/// Returns the status of a request with this exact head.
fn status(server: &Server, head: &str) -> u16 {
    let mut client = Client::connect(server.address);
    client.send(head);
    client.response().status
}

#[test]
fn a_request_says_once_whom_it_is_for() {
    for guest in ["hello", "hello-p2"] {
        let server = serve(guest);
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", 200),
            ("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 200),
            ("GET http://a.test/ HTTP/1.1\r\nHost: b.test\r\n\r\n", 200),
            ("GET / HTTP/1.0\r\n\r\n", 200),
            ("GET http://a.test/ HTTP/1.0\r\n\r\n", 200),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n", 400),
            ("GET http://a.test/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
            ("GET http://a.test/ HTTP/1.0\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: user:secret@a.test\r\n\r\n", 400),
            ("GET http://user@a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
            ("GET http://a.test/ HTTP/1.1\r\nHost: user@a.test\r\n\r\n", 400),
        ] {
            assert_eq!(status(&server, head), expected, "{guest}: {head}");
        }
        block_on(async {
            let mut sender = connect(server.address).await;
            for (uri, expected) in [("http://a.test/", 200), ("http://user@a.test/", 400)] {
                let mut asked = request("GET", "/", empty());
                *asked.uri_mut() = uri.parse().unwrap();
                assert_eq!(whole(sender.send_request(asked).await.unwrap()).await.0, expected, "{uri}");
            }
        });
    }
}

#[test]
fn connect_is_refused() {
    for guest in ["hello", "hello-p2"] {
        let server = serve(guest);
        let mut client = Client::connect(server.address);
        client.send("CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n");
        client.response().is_plain_refusal(501);
        block_on(async {
            let mut sender = connect(server.address).await;
            let mut asked = request("CONNECT", "/", empty());
            *asked.uri_mut() = "a.test:443".parse().unwrap();
            assert_eq!(sender.send_request(asked).await.unwrap().status(), 501);
            assert_eq!(whole(sender.send_request(request("GET", "/", empty())).await.unwrap()).await.0, 200);
        });
        // The following bytes are not treated as tunnel data, nor tunnel data as a request with the guest's response.
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(b"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 501 "), "{text}");
    }
}
