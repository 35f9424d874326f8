//! Bodies in both directions: lengths, chunks, limits, streaming, back-pressure.

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use crate::support::{Client, Server, serve, serve_with};

const BOTH: [&str; 2] = ["hostile", "hostile-p2"];

fn chunked(server: &Server, target: &str, body: &[u8]) -> Client {
    let mut client = Client::connect(server.address);
    client.start("POST", target, &["Transfer-Encoding: chunked"]);
    for piece in body.chunks(400) {
        client.send_chunk(piece);
    }
    client.send_chunk("");
    client
}

#[test]
fn a_body_comes_back_with_a_length_and_in_chunks() {
    let body: Vec<u8> = (0..300_000_u32).map(|number| number.to_le_bytes()[0]).collect();
    for guest in BOTH {
        let server = serve(guest);
        let response = Client::connect(server.address).post("/echo", &body);
        assert_eq!(response.status, 200);
        assert!(response.body == body, "{guest}: {} bytes", response.body.len());
        let response = chunked(&server, "/echo", &body).response();
        assert!(response.body == body, "{guest}: {} bytes", response.body.len());
        let response = chunked(&server, "/echo", b"").response();
        assert!(response.body.is_empty(), "{guest}");
    }
    let server = serve("hostile");
    let response = chunked(&server, "/echo?pass", &body).response();
    assert!(response.body == body, "handed on unread: {} bytes", response.body.len());
}

#[test]
fn continue_is_said_when_the_guest_reads_and_not_before_a_refusal() {
    let server = serve_with("hostile", &["--max-body", "1000B"]);
    let mut client = Client::connect(server.address);
    client.start("POST", "/write?path=/nowhere", &["Content-Length: 5", "Expect: 100-continue"]);
    assert_eq!(client.head().status, 100);
    client.send("hello");
    assert_eq!(client.response().status, 403);

    let mut client = Client::connect(server.address);
    client.start("POST", "/echo", &["Content-Length: 5", "Expect: 100-continue"]);
    let mut head = client.head();
    if head.status == 100 {
        head = client.head();
    }
    assert_eq!(head.status, 200, "a guest that answers before it reads has said enough");
    client.send("hello");
    assert_eq!(client.chunk().unwrap().unwrap(), b"hello");

    let mut client = Client::connect(server.address);
    client.start("POST", "/echo", &["Content-Length: 1001", "Expect: 100-continue"]);
    assert_eq!(client.head().status, 413);

    let mut client = Client::connect(server.address);
    client.start("POST", "/drop-body", &["Content-Length: 5", "Expect: 100-continue"]);
    assert_eq!(client.response().text(), "not read\n", "a guest that does not read does not ask for the body");
}

#[test]
fn a_body_of_the_limit_and_none_above() {
    for guest in BOTH {
        let server = serve_with(guest, &["--max-body", "1000B"]);
        for length in [999, 1000] {
            let response = Client::connect(server.address).post("/echo", vec![b'x'; length]);
            assert_eq!((response.status, response.body.len()), (200, length), "{guest}");
            let response = chunked(&server, "/echo", &vec![b'x'; length]).response();
            assert_eq!((response.status, response.body.len()), (200, length), "{guest}");
        }
        let mut client = Client::connect(server.address);
        client.start("POST", "/echo", &["Content-Length: 1001"]);
        client.response().is_plain_refusal(413);
        // Without a length the guest has already started the response: it is aborted, not completed.
        match chunked(&server, "/echo", &[b'x'; 1001]).try_response() {
            // This guest treats an error as the end.
            Ok(response) if guest == "hostile-p2" => assert!(response.body.len() <= 1000),
            Ok(response) => response.is_plain_refusal(413),
            Err(error) => assert!(is_cut(&error), "{error}"),
        }
    }
}

/// Returns true if the connection was closed in the middle of a body.
fn is_cut(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
}

#[test]
fn a_guest_that_reads_all_before_it_answers_says_413() {
    let server = serve_with("hostile", &["--max-body", "1000B"]);
    assert_eq!(chunked(&server, "/write?path=/nowhere", &[b'x'; 1000]).response().status, 403);
    assert_eq!(chunked(&server, "/write?path=/nowhere", &[b'x'; 1001]).response().status, 413);
}

#[test]
fn a_body_that_is_not_read_does_not_spoil_the_next_request() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    assert_eq!(client.post("/drop-body", [b'x'; 1000]).text(), "not read\n");
    assert_eq!(client.post("/echo", "next").text(), "next");
}

/// A client that sends the next chunk only after it has received the one before.
#[test]
fn an_echo_streams_piece_by_piece() {
    for guest in BOTH {
        let server = serve(guest);
        let mut client = Client::connect(server.address);
        client.start("POST", "/echo", &["Transfer-Encoding: chunked"]);
        for number in 0..20 {
            let piece = format!("piece {number};");
            client.send_chunk(&piece);
            if number == 0 {
                assert_eq!(client.head().status, 200);
            }
            let mut received = Vec::new();
            while received.len() < piece.len() {
                received.extend(client.chunk().unwrap().unwrap());
            }
            assert_eq!(String::from_utf8_lossy(&received), piece, "{guest}");
        }
        client.send_chunk("");
        assert_eq!(client.chunk().unwrap(), None);
    }
}

/// Returns the peak memory of the server, in KiB.
#[cfg(target_os = "linux")]
fn high_water(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn a_slow_reader_slows_the_guest_down() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    client.get("/big?mib=1");
    let before = high_water(&server);
    client.start("GET", "/big?mib=100", &[]);
    client.head();
    // Time for the guest to produce all of it without back-pressure.
    std::thread::sleep(Duration::from_secs(1));
    let held = high_water(&server) - before;
    assert!(held < 32 << 10, "the server holds {held} KiB for a reader that does not read");
    let mut received = 0;
    while let Some(chunk) = client.chunk().unwrap() {
        received += chunk.len();
    }
    assert_eq!(received, 100 << 20);
}

#[test]
fn a_guest_that_does_not_read_holds_the_sender_back() {
    let server = serve_with("hostile-p2", &["--max-body", "1GiB"]);
    let mut client = Client::connect(server.address);
    client.start("POST", "/never", &["Content-Length: 1000000000"]);
    client.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let piece = vec![b'x'; 1 << 20];
    let mut sent = 0;
    let error = loop {
        match client.stream.write(&piece) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
        assert!(sent < 64 << 20, "the server buffers data that the client does not read");
    };
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
}

#[test]
fn a_response_that_breaks_off_does_not_look_complete() {
    for (guest, target) in
        [("hostile", "/abort?how=error"), ("hostile", "/abort?how=panic"), ("hostile-p2", "/trap-after-head")]
    {
        let server = serve(guest);
        let mut client = Client::connect(server.address);
        client.start("GET", target, &[]);
        match client.try_response() {
            // The server can still respond with an error if nothing was sent.
            Ok(response) => assert_eq!(response.status, 500, "{target}: {}", response.text()),
            Err(error) => assert!(is_cut(&error), "{target}: {error}"),
        }
        assert_eq!(crate::support::get(server.address, "/").status, 200);
    }
}
