//! The lengths that a guest announces and writes, and the responses of clients: no response runs into the next.

use crate::support::h2::{block_on, breaks_off, connect, empty, request, whole};
use crate::support::tls::Certificate;
use crate::support::{Client, Run, Server, get, serve, serve_with};

/// With a fresh instance for each request, and with reused ones.
const REUSE: [&[&str]; 2] = [&["--instance-reuse", "1"], &["--instance-reuse", "10"]];
const BOTH: [&str; 2] = ["hostile-p3", "hostile-p2"];

/// Starts a server for each guest of both versions, with fresh and with reused instances.
fn servers() -> impl Iterator<Item = Server> {
    BOTH.into_iter().flat_map(|guest| REUSE.map(|reuse| serve_with(guest, reuse)))
}

#[test]
fn a_body_of_another_length_than_announced_is_no_response() {
    for server in servers() {
        for target in [
            "/answer?length=5",
            "/answer?length=5&write=0",
            "/answer?length=5&write=3",
            "/answer?length=5&write=8",
            "/answer?length=60000&write=59999",
        ] {
            let mut client = Client::connect(server.address);
            client.breaks_off(target);
            // The following bytes of the connection are a separate response.
            let next = "GET /answer?length=5&write=5 HTTP/1.1\r\nHost: a\r\n\r\n";
            if let Ok(response) = client.try_send(next).and_then(|()| client.try_response()) {
                assert_eq!((response.status, response.text().as_str()), (200, "xxxxx"), "{target}");
            }
        }
        let logged = server.count_to_the_end("the body of a response broke off");
        assert_eq!(logged, 5, "one line for each: {}", server.log.text());
    }
}

#[test]
fn a_length_that_is_no_number_is_no_response() {
    for server in BOTH.map(serve) {
        for length in ["%2B5", "5x", "-5", "18446744073709551616"] {
            let response = get(server.address, &format!("/answer?length={length}&write=5"));
            assert_eq!(response.status, 500, "{length}");
        }
        assert_eq!(get(server.address, "/answer?length=5&write=5").text(), "xxxxx");
    }
}

#[test]
fn a_large_body_that_is_too_short_closes_the_connection() {
    for server in servers() {
        for target in ["/answer?length=300001&write=300000", "/answer?length=300000&write=300001"] {
            Client::connect(server.address).breaks_off(target);
        }
        let response = get(server.address, "/answer?length=300000&write=300000");
        assert_eq!((response.status, response.body.len()), (200, 300_000));
    }
}

#[test]
fn over_tls_as_without() {
    let certificate = Certificate::new();
    let run = Run::guest("hostile-p3").args(["--tls-cert".into(), certificate.cert().into_os_string()]);
    let server = run.args(["--tls-key".into(), certificate.key().into_os_string()]).serve();
    let (mut client, _) = certificate.connect(&server, &["http/1.1"]);
    client.breaks_off("/answer?length=5&write=3");
    let (mut client, _) = certificate.connect(&server, &["http/1.1"]);
    client.breaks_off("/answer?length=300001&write=300000");
}

#[test]
fn a_stream_of_http_2_with_another_length_is_reset() {
    for server in servers() {
        block_on(async {
            let mut sender = connect(server.address).await;
            for target in [
                "/answer?length=5",
                "/answer?length=5&write=3",
                "/answer?length=5&write=8",
                "/answer?length=300001&write=300000",
                "/answer?length=300000&write=300001",
            ] {
                breaks_off(&mut sender, target).await;
            }
            let response = sender.send_request(request("GET", "/answer?length=5&write=5", empty())).await.unwrap();
            assert_eq!(whole(response).await.1, "xxxxx", "the connection stays open");
        });
    }
}

/// Returns the status and `Content-Length` of a response without a body, and whether the connection is reusable.
#[track_caller]
fn head(client: &mut Client, method: &str, target: &str) -> (u16, Option<String>) {
    client.start(method, target, &[]);
    let head = client.head();
    let length = head.header("content-length").map(str::to_owned);
    assert_eq!(head.header("transfer-encoding"), None, "{method} {target}");
    client.start("GET", "/answer?length=5&write=5", &[]);
    assert_eq!(client.response().text(), "xxxxx", "{method} {target}: what follows is the next response");
    (head.status, length)
}

/// Method, status, query, and the expected length.
const BODILESS: [(&str, u16, &str, Option<&str>); 10] = [
    ("HEAD", 200, "length=5", Some("5")),
    ("HEAD", 200, "length=5&write=0", Some("5")),
    ("HEAD", 200, "length=5&write=5", Some("5")),
    ("HEAD", 200, "length=5&write=3", Some("5")),
    ("GET", 204, "length=5", None),
    ("GET", 204, "length=0&write=0", None),
    ("GET", 304, "length=5", Some("5")),
    ("GET", 304, "length=5&write=0", Some("5")),
    ("HEAD", 304, "length=5", Some("5")),
    ("HEAD", 204, "length=5", None),
];

#[test]
fn a_response_without_a_body_keeps_its_length_where_it_may_have_one() {
    for server in servers() {
        let mut client = Client::connect(server.address);
        for (method, status, query, length) in BODILESS {
            let answer = head(&mut client, method, &format!("/answer?status={status}&{query}"));
            assert_eq!(answer, (status, length.map(str::to_owned)), "{method} {status} {query}");
        }
        block_on(async {
            let mut sender = connect(server.address).await;
            for (method, status, query, length) in BODILESS {
                let target = format!("/answer?status={status}&{query}");
                let response = sender.send_request(request(method, &target, empty())).await.unwrap();
                let found = response.headers().get("content-length").map(|value| value.to_str().unwrap().to_owned());
                assert_eq!(found.as_deref(), length, "{method} {target}");
                assert_eq!(whole(response).await, (status, String::new(), None), "{method} {target}");
            }
        });
    }
}

#[test]
fn the_sdk_answers_head_204_and_304_in_the_same_way() {
    let server = serve("hostile");
    let mut client = Client::connect(server.address);
    for (method, status, query, length) in [
        ("HEAD", 200, "length=7", Some("7")),
        ("GET", 204, "text=gone", None),
        ("GET", 304, "length=7", Some("7")),
        ("HEAD", 204, "length=7", None),
    ] {
        client.start(method, &format!("/bodiless?code={status}&{query}"), &[]);
        let head = client.head();
        assert_eq!((head.status, head.header("content-length")), (status, length), "{method} {query}");
        assert_eq!(client.get("/").text(), "hostile\n");
    }
}

#[test]
fn an_interim_status_is_no_response() {
    for server in servers() {
        for status in [101, 100, 103, 199] {
            let mut client = Client::connect(server.address);
            client.start(
                "GET",
                &format!("/answer?status={status}&length=5&write=5"),
                &["Connection: upgrade", "Upgrade: x"],
            );
            client.response().is_plain_refusal(500);
        }
        assert_eq!(server.count_to_the_end("no final response"), 4);
    }
}
