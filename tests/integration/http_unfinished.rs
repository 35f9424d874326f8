//! Bodies that a guest never finishes, and the log line of each 500.

use crate::support::h2::{block_on, breaks_off, connect, empty, request, whole};
use crate::support::upstream::Upstream;
use crate::support::{Client, Server, get, serve, serve_with};

/// Timeouts so long that a test which waits for them fails.
const NEVER: [&str; 4] = ["--request-timeout", "10m", "--after-response-timeout", "10m"];

fn serve_patiently(guest: &str, reuse: &str) -> Server {
    serve_with(guest, &[&NEVER[..], &["--instance-reuse", reuse]].concat())
}

#[test]
fn a_body_that_is_never_finished_breaks_off_at_once() {
    for guest in ["hostile-p3", "hostile-p2"] {
        for reuse in ["1", "10"] {
            let server = serve_patiently(guest, reuse);
            let ends = if guest == "hostile-p3" { &["leak", "leak-end"][..] } else { &["leak", "drop"] };
            for end in ends {
                Client::connect(server.address).breaks_off(&format!("/answer?write=9&end={end}"));
                Client::connect(server.address).breaks_off(&format!("/answer?length=9&write=8&end={end}"));
                // A part of it was sent.
                let mut client = Client::connect(server.address);
                client.start("GET", &format!("/answer?write=300000&end={end}"), &[]);
                assert_eq!(client.head().header("transfer-encoding"), Some("chunked"));
                let cut = loop {
                    match client.chunk() {
                        Ok(Some(_)) => {}
                        Ok(None) => break false,
                        Err(_) => break true,
                    }
                };
                assert!(cut, "{guest} {reuse} {end}: the body looks complete");
                block_on(async {
                    let mut sender = connect(server.address).await;
                    breaks_off(&mut sender, &format!("/answer?write=300000&end={end}")).await;
                });
            }
            assert_eq!(get(server.address, "/answer?write=9").text(), "xxxxxxxxx");
            assert_eq!(server.count_to_the_end("broke off"), 8, "{}", server.log.text());
        }
    }
}

/// The guest has returned, and the body streams from the client, or from an upstream, at its own pace.
#[test]
fn a_forwarded_body_continues_without_the_guest() {
    let server = serve_patiently("hostile-p3", "10");
    let mut client = Client::connect(server.address);
    client.start("POST", "/pass", &["Transfer-Encoding: chunked"]);
    for number in 0..20 {
        let piece = format!("piece {number};");
        client.send_chunk(&piece);
        if number == 0 {
            assert_eq!(client.head().status, 200);
        }
        assert_eq!(String::from_utf8(client.chunk().unwrap().unwrap()).unwrap(), piece);
    }
    client.send_chunk("");
    assert_eq!(client.chunk().unwrap(), None);

    let (next, steps) = std::sync::mpsc::channel::<()>();
    let steps = std::sync::Mutex::new(steps);
    let upstream = Upstream::start(move |mut exchange| {
        exchange.client.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n");
        for piece in ["on", "e t", "w"] {
            exchange.client.send(piece);
            let _ = steps.lock().unwrap().recv();
        }
    });
    let server = serve_with("hostile", &[&NEVER[..], &["--allow-http", &upstream.url("/")]].concat());
    let mut client = Client::connect(server.address);
    client.start("GET", &format!("/pass?url={}", upstream.url("/")), &[]);
    client.head();
    for piece in ["on", "e t", "w"] {
        assert_eq!(client.take(piece.len()).unwrap(), piece.as_bytes());
        next.send(()).unwrap();
    }
    assert_eq!(server.count_to_the_end("broke off"), 0);
}

/// The host pipes its own stream into the body, without the guest.
#[test]
fn a_file_is_streamed_after_its_guest_has_returned() {
    let directory = tempfile::TempDir::new().unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    std::fs::write(directory.path().join("file"), &content).unwrap();
    let granted = format!("{}::/", directory.path().display());
    let server = serve_with("hostile-p3", &[&NEVER[..], &["--dir", &granted]].concat());
    for _ in 0..3 {
        let response = get(server.address, "/file?path=file");
        assert!(response.status == 200 && response.body == content, "{}", server.log.text());
    }
}

#[test]
fn every_500_has_one_line_that_says_why() {
    for (guest, target, line) in [
        ("hostile-p3", "/error", "answered with the error code"),
        ("hostile-p3", "/answer?status=101", "no final response"),
        ("hostile-p3", "/answer?length=5&write=3", "broke off"),
        ("hostile-p3", "/answer?write=3&end=leak", "broke off"),
        ("hostile-p2", "/no-response", "ended without a response"),
        ("hostile-p2", "/answer?write=3&end=drop", "broke off"),
        ("hostile-p2", "/answer?length=5", "broke off"),
        ("hostile-p2", "/trap-after-head", "trapped"),
        ("hostile", "/abort?how=error", "broke off"),
        ("hostile", "/abort?how=panic", "trapped"),
        ("hostile", "/panic", "trapped"),
    ] {
        let server = serve(guest);
        Client::connect(server.address).breaks_off(target);
        server.count_to_the_end("");
        let text = server.log.text();
        let problems: Vec<_> = text.lines().filter(|said| said.contains(" WARN ") || said.contains("ERROR ")).collect();
        assert!(problems.len() == 1 && problems[0].contains(line), "{guest} {target}: {text}");
    }
    let server = serve("hello");
    block_on(async {
        let mut sender = connect(server.address).await;
        assert_eq!(whole(sender.send_request(request("GET", "/", empty())).await.unwrap()).await.0, 200);
    });
    assert_eq!(server.count_to_the_end("WARN"), 0);
}
