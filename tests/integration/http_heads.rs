//! The limits on a request's head.

use http_body_util::BodyExt as _;

use crate::support::{Client, Server, get, h2, serve, serve_with};

/// Returns the status of a request with that many headers, Host included.
fn with_headers(server: &Server, count: usize) -> u16 {
    let headers: Vec<String> = (1..count).map(|number| format!("X-{number}: {number}")).collect();
    let mut client = Client::connect(server.address);
    client.start("GET", "/", &headers.iter().map(String::as_str).collect::<Vec<_>>());
    client.response().status
}

/// Returns the status of a request whose head has that many bytes.
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

/// Returns the status of an HTTP/2 request with these fields.
fn with_fields(server: &Server, fields: impl Iterator<Item = (String, &'static str)>) -> u16 {
    let mut request = h2::request("GET", "/", h2::empty());
    for (name, value) in fields {
        request.headers_mut().append(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
    }
    h2::block_on(async {
        let mut sender = h2::connect(server.address).await;
        sender.send_request(request).await.unwrap().status().as_u16()
    })
}

#[test]
fn headers_of_http_2_are_counted_too() {
    let server = serve("hello");
    let plain = |count: u16| (0..count).map(|number| (format!("x-{number}"), "1"));
    assert_eq!([99, 100, 101].map(|count| with_fields(&server, plain(count))), [200, 200, 431]);
    // Browsers send each cookie as a separate field.
    let cookies = |count| std::iter::repeat_n(("cookie".to_owned(), "a=b"), count);
    assert_eq!([40, 41].map(|count| with_fields(&server, plain(60).chain(cookies(count)))), [200, 431]);
}

#[test]
fn trailers_are_counted_too() {
    for guest in ["hostile", "hostile-p2"] {
        let server = serve(guest);
        for (count, taken) in [(100, true), (101, false)] {
            h2::block_on(async {
                let mut sender = h2::connect(server.address).await;
                let (frames, body) = h2::channel();
                let name = |number: u16| http::HeaderName::try_from(format!("x-{number}")).unwrap();
                let trailers = (0..count).map(|number| (name(number), http::HeaderValue::from_static("1")));
                frames.send(hyper::body::Frame::data("body".into())).unwrap();
                frames.send(hyper::body::Frame::trailers(trailers.collect())).unwrap();
                drop(frames);
                let answer = sender.send_request(h2::request("POST", "/echo", body)).await;
                // The head may have been sent before the trailers arrived.
                let echoed = match answer {
                    Ok(answer) if answer.status() == 200 => answer.into_body().collect().await.ok(),
                    Ok(answer) => {
                        assert_eq!(answer.status(), 431, "{guest}");
                        None
                    }
                    Err(_) => None,
                };
                assert_eq!(echoed.is_some(), taken, "{guest}: {count} trailers");
            });
        }
    }
}

#[test]
fn the_size_of_the_head_is_limited() {
    let server = serve("hello");
    // hyper reads in steps, so a head slightly above the limit may be parsed at once.
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
