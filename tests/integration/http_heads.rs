//! The limits on a request's head.

use crate::support::{Client, Server, get, serve, serve_with};

/// The status of a request with that many headers, Host included.
fn with_headers(server: &Server, count: usize) -> u16 {
    let headers: Vec<String> = (1..count).map(|number| format!("X-{number}: {number}")).collect();
    let mut client = Client::connect(server.address);
    client.start("GET", "/", &headers.iter().map(String::as_str).collect::<Vec<_>>());
    client.response().status
}

/// The status of a request whose head has that many bytes.
fn with_size(server: &Server, bytes: usize) -> u16 {
    let start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let filling = "x".repeat(bytes - start.len() - 4);
    let mut client = Client::connect(server.address);
    client.send(format!("{start}{filling}\r\n\r\n"));
    client.response().status
}

#[test]
fn a_hundred_headers_and_no_more() {
    let server = serve("hello");
    assert_eq!([99, 100, 101].map(|count| with_headers(&server, count)), [200, 200, 431]);
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn the_number_of_headers_is_a_flag() {
    let server = serve_with("hello-p2", &["--max-headers", "5"]);
    assert_eq!([4, 5, 6].map(|count| with_headers(&server, count)), [200, 200, 431]);
}

#[test]
fn the_size_of_the_head_is_limited() {
    let server = serve("hello");
    // hyper reads in steps, so that a head somewhat above the limit may still be in one piece.
    assert_eq!(with_size(&server, 30 << 10), 200);
    assert_eq!(with_size(&server, 40 << 10), 431);
    let server = serve_with("hello", &["--max-header-size", "64KiB"]);
    assert_eq!(with_size(&server, 60 << 10), 200);
    assert_eq!(with_size(&server, 80 << 10), 431);
}

#[test]
fn headers_reach_the_guest_in_order_and_again() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    client.start("GET", "/headers", &["X-One: 1", "X-Two: 2", "X-One: 3", "X-Bytes: \u{e4}"]);
    let text = client.response().text();
    assert!(
        text.contains(r#"["x-one","1"],["x-one","3"]"#)
            || text.contains(r#"["x-one","1"],["x-two","2"],["x-one","3"]"#),
        "{text}"
    );
    assert!(text.contains(r#"["x-two","2"]"#), "{text}");
    assert!(text.contains("\u{e4}"), "{text}");
}
