//! The OTLP that the dashboard accepts from other programs, and its allowed senders.

use std::net::SocketAddr;

use crate::support::{Client, Response, Run, Server, serve_with};

fn page(server: &Server) -> SocketAddr {
    server.log.wait_for("dashboard on http://").rsplit('/').next().unwrap().parse().unwrap()
}

fn ask(page: SocketAddr, target: &str, header: &str) -> Response {
    let mut client = Client::connect(page);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {page}\r\n{header}\r\n"));
    client.response()
}

/// Returns the peak memory of the process, in KiB.
fn peak(server: &Server) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
}

/// An empty element has two bytes on the wire, and hundreds in memory.
#[test]
fn a_request_of_empty_elements_takes_no_more_memory_than_it_has_bytes() {
    let server = serve_with("hello", &["--dashboard", "127.0.0.1:0"]);
    let (page, before) = (page(&server), peak(&server));
    for path in ["/v1/traces", "/v1/logs"] {
        let mut client = Client::connect(page);
        client.send(format!(
            "POST {path} HTTP/1.1\r\nHost: {page}\r\nContent-Type: application/x-protobuf\r\nContent-Length: {}\r\n\r\n",
            4 << 20
        ));
        client.send([0x0a, 0x00].repeat(2 << 20));
        assert_eq!(client.response().status, 200);
    }
    let grown = peak(&server) - before;
    assert!(grown < 64 << 10, "{grown} KiB");
}

#[test]
fn a_dashboard_with_a_token_answers_those_who_show_it() {
    let run = Run::guest("hello").args(["--dashboard", "127.0.0.1:0"]).env("TEMPO_DASHBOARD_TOKEN", "s3cret");
    let server = run.serve();
    let page = page(&server);
    for target in ["/", "/api/recent", "/events", "/v1/traces", "/?token=wrong"] {
        assert_eq!(ask(page, target, "").status, 401, "{target}");
    }
    let shown = ask(page, "/?token=s3cret", "");
    assert_eq!(shown.status, 200);
    let cookie = shown.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(ask(page, "/api/recent", &format!("Cookie: {cookie}\r\n")).status, 200);
    let bearer = ask(page, "/api/recent", "Authorization: Bearer s3cret\r\n");
    assert_eq!((bearer.status, bearer.header("set-cookie")), (200, None));
}
