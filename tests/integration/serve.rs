//! The examples, served by each runtime.

use crate::support::upstream::Upstream;
use crate::support::{Client, Run, get, guest, serve, serve_with};

#[test]
fn each_runtime_serves_both_versions_of_wasi() {
    // The last one is crates/tempo-runtime/examples/own_runtime.rs.
    for runtime in ["tempo", "tempo-http", "examples/own_runtime"] {
        for name in ["hello", "hello-p2"] {
            let arguments = ["run".into(), guest(name).into_os_string(), "--addr".into(), "127.0.0.1:0".into()];
            let server = Run::new(runtime).args(arguments).serve();
            let response = get(server.address, "/");
            assert_eq!((response.status, response.text().as_str()), (200, "Hello from Tempo!\n"), "{runtime} {name}");
            assert_eq!(response.header("content-length"), Some("18"), "{runtime} {name}");
        }
    }
}

#[test]
fn an_axum_router_takes_json_paths_and_queries() {
    let server = serve("axum");
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/").text(), "Hello from axum!\n");
    assert_eq!(client.get("/greet/Ada?lang=de").text(), "Hallo, Ada!\n");
    assert_eq!(client.get("/greet/Ada").text(), "Hello, Ada!\n");
    assert_eq!(client.get("/nowhere").status, 404);

    let body = r#"{"name":"Ada"}"#;
    client.start("POST", "/users", &["Content-Type: application/json", &format!("Content-Length: {}", body.len())]);
    client.send(body);
    let created = client.response();
    assert_eq!((created.status, created.text().as_str()), (201, r#"{"id":1,"name":"Ada"}"#));
    assert_eq!(created.header("content-type"), Some("application/json"));
    assert_eq!(client.post("/users", "{}").status, 415, "without its content type");
}

#[test]
fn an_axum_router_sends_a_request_that_was_allowed() {
    let upstream = Upstream::answering("from elsewhere");
    let server = serve_with("axum", &["--allow-http", &upstream.url("")]);
    let response = get(server.address, &format!("/proxy?url={}", upstream.url("/page")));
    assert_eq!((response.status, response.text().as_str()), (200, "from elsewhere"));
    assert_eq!(upstream.accepted(), 1);
}

#[test]
fn a_streamed_response_arrives_in_pieces() {
    let server = serve("axum");
    let mut client = Client::connect(server.address);
    client.start("GET", "/stream", &[]);
    assert_eq!(client.head().header("transfer-encoding"), Some("chunked"));
    for number in 1..=5 {
        assert_eq!(client.chunk().unwrap().unwrap(), format!("line {number}\n").as_bytes());
    }
    assert_eq!(client.chunk().unwrap(), None);
    assert_eq!(client.get("/").status, 200, "the connection is of use afterwards");
}

#[test]
fn configuration_comes_from_flags_and_files() {
    let run = Run::guest("config-only").with_file("values.toml", "FILE = \"from the file\"\nBOTH = \"file\"\n");
    let server =
        run.args(["--config", "GREETING=Hello", "--config", "BOTH=flag", "--config-file", "values.toml"]).serve();
    assert_eq!(get(server.address, "/GREETING").text(), "Hello\n");
    assert_eq!(get(server.address, "/FILE").text(), "from the file\n");
    assert_eq!(get(server.address, "/BOTH").text(), "flag\n");
    assert_eq!(get(server.address, "/HOME").status, 404, "the process's environment is not configuration");
}

#[test]
fn the_banner_is_the_first_line_and_names_the_port() {
    let server = serve("hello");
    assert_ne!(server.address.port(), 0);
    assert_eq!(server.scheme, "http");
    assert!(server.log.text().starts_with(&format!("listening on http://{}", server.address)));
}
