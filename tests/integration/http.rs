//! HTTP/1.1 connections and requests, including malformed ones.

use crate::support::{Client, Server, serve};

fn bad_request(server: &Server, request: &str) {
    let mut client = Client::connect(server.address);
    client.send(request);
    let response = client.response();
    assert_eq!(response.status, 400, "{request:?}: {}", response.text());
}

#[test]
fn head_has_the_head_of_get_and_no_body() {
    let server = serve("hello");
    let mut client = Client::connect(server.address);
    let length = client.get("/").header("content-length").map(str::to_owned);
    client.start("HEAD", "/", &[]);
    let head = client.head();
    assert_eq!((head.status, head.header("content-length")), (200, length.as_deref()));
    assert_eq!(client.get("/").text(), "Hello from Tempo!\n", "no body came in between");
}

#[test]
fn no_content_has_no_body_and_no_length() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    let response = client.get("/empty");
    assert_eq!(response.status, 204);
    assert_eq!((response.header("content-length"), response.header("transfer-encoding")), (None, None));
    assert_eq!(client.get("/").text(), "hostile\n");
}

#[test]
fn statuses_methods_and_targets_reach_their_end() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    for status in [200, 201, 299, 301, 404, 418, 500, 503, 599] {
        assert_eq!(client.get(&format!("/status?code={status}")).status, status);
    }
    let text = client.get("/head?a=1&b=%20%C3%A4").text();
    assert_eq!(text, "GET http://example.test/head?a=1&b=%20%C3%A4\n");
}

#[test]
fn a_connection_is_kept_until_the_client_wants_it_closed() {
    let server = serve("hello");
    let mut client = Client::connect(server.address);
    for _ in 0..10 {
        assert_eq!(client.get("/").status, 200);
    }
    client.start("GET", "/", &["Connection: close"]);
    let response = client.response();
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    client.is_closed();
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    let targets = ["/sleep?ms=200", "/head", "/status?code=404"];
    client.send(targets.map(|target| format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).concat());
    let answers = targets.map(|_| client.response());
    assert_eq!(answers[0].text(), "slept\n");
    assert_eq!(answers[1].text(), "GET http://a/head\n");
    assert_eq!(answers[2].status, 404);
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = serve("hello");
    let mut client = Client::connect(server.address);
    client.send("GET / HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (200, "Hello from Tempo!\n"));
    assert_eq!((response.version, response.header("transfer-encoding")), (0, None));
    client.is_closed();
}

#[test]
fn http_1_0_gets_a_streamed_body_without_chunks() {
    let server = serve("hostile-p2");
    let mut client = Client::connect(server.address);
    client.send("GET /stream?chunks=2 HTTP/1.0\r\n\r\n");
    let response = client.response();
    assert_eq!(response.header("transfer-encoding"), None);
    assert_eq!(response.text(), "chunk 1\nchunk 2\n");
}

#[test]
fn a_request_needs_exactly_one_valid_host() {
    let server = serve("hello");
    bad_request(&server, "GET / HTTP/1.1\r\n\r\n");
    bad_request(&server, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    bad_request(&server, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    bad_request(&server, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    bad_request(&server, "GET / HTTP/1.1\r\nHost: \r\n\r\n");
}

#[test]
fn what_is_not_http_is_refused() {
    let server = serve("hello");
    bad_request(&server, "complete nonsense\r\n\r\n");
    bad_request(&server, "GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n");
    bad_request(&server, "GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n");
    bad_request(&server, "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n");
    bad_request(&server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1x\r\n\r\n");
    bad_request(&server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
    bad_request(&server, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n");
    assert_eq!(crate::support::get(server.address, "/").status, 200);
}

#[test]
fn a_request_with_two_lengths_cannot_smuggle_another() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    let inner = "GET /status?code=418 HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = inner.len() + 5;
    client.send(format!(
        "POST /drop-body HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{inner}"
    ));
    // The server may reject the request, or use the chunks and then close; it must not respond to both and keep the
    // connection.
    let first = client.response();
    if first.status != 400 {
        let rest = String::from_utf8_lossy(&client.rest().unwrap()).into_owned();
        assert!(!rest.contains("418"), "{rest}");
    }
}

#[test]
fn an_upgrade_is_ignored() {
    let server = serve("hello");
    let mut client = Client::connect(server.address);
    client.start("GET", "/", &["Connection: upgrade", "Upgrade: websocket"]);
    assert_eq!(client.response().status, 200);
}
