//! Middleware over WASI 0.2, which passes on the request and the outparam that it has received.

use crate::apps::{app, manifest};
use crate::apps_middleware::echoes_pieces;
use crate::support::{Client, Server, get};

/// An app in which requests pass through `middleware` of WASI 0.2 to `api`.
fn serve(api: &str, names: &[&str], of_middleware: &str) -> Server {
    let lines = format!("route = \"/*\"\nmiddleware = {names:?}");
    let middleware: Vec<_> = names
        .iter()
        .map(|name| {
            let guest = if name.starts_with("auth") { "auth" } else { "middleware-p2" };
            (*name, guest, of_middleware)
        })
        .collect();
    app(&manifest("", &[&[("api", api, lines.as_str())], middleware.as_slice()].concat())).serve()
}

#[test]
fn requests_pass_through_to_both_versions() {
    for api in ["hostile", "hostile-p2"] {
        let server = serve(api, &["a", "b"], "");
        for _ in 0..3 {
            let response = get(server.address, "/");
            assert_eq!((response.status, response.text().as_str()), (200, "hostile\n"), "{api}");
        }
        assert_eq!(get(server.address, "/missing").status, 404, "{api}");
        assert_eq!(get(server.address, "/refuse").status, 403, "{api}");
        // It traps, as the first of the two holds no outparam to answer with.
        assert_eq!(get(server.address, "/forget").status, 500, "{api}");
        assert_eq!(get(server.address, "/panic").status, 500, "{api}");
    }
}

#[test]
fn both_versions_stand_in_one_chain() {
    for names in [["auth", "b"], ["b", "auth"]] {
        let server = serve("hello", &names, "");
        let response = get(server.address, "/");
        assert_eq!((response.status, response.text().as_str()), (200, "Hello from Tempo!\n"));
        assert_eq!(response.header("via"), Some("1.1 auth"), "{names:?}");
    }
}

#[test]
fn bodies_stream_through() {
    echoes_pieces(&serve("hostile", &["a", "b"], ""), "/echo");
}

/// The component sees the request as the client sent it.
#[test]
fn the_head_goes_through() {
    let server = serve("hostile", &["a"], "");
    let mut client = Client::connect(server.address);
    client.start("GET", "/headers?x=1", &["X-Own: 1", "X-Own: 2"]);
    let headers = client.response().text();
    assert!(headers.contains(r#"["x-own","1"],["x-own","2"]"#), "{headers}");
    assert_eq!(get(server.address, "/head?x=1").text(), "GET http://example.test/head?x=1\n");
}

/// Middleware that has read the body passes on an empty one, which fails if the head announces more.
#[test]
fn a_body_is_read_once() {
    let server = serve("hostile", &["a"], "");
    assert_eq!(Client::connect(server.address).post("/read", "the body").status, 500);
    assert_eq!(Client::connect(server.address).post("/read", "").status, 405, "passed on");
    let mut client = Client::connect(server.address);
    client.start("POST", "/read", &["Transfer-Encoding: chunked"]);
    client.send_chunk("the body");
    client.send_chunk("");
    assert_eq!(client.response().status, 405);
}

/// A request of an earlier call is not passed on with the body of the current one.
#[test]
fn a_request_that_was_kept_goes_nowhere() {
    let server = serve("hostile", &["a"], "instance-reuse = 10");
    // One connection stays on one thread, which reuses its instances.
    let mut client = Client::connect(server.address);
    assert_eq!([client.get("/keep").status, client.get("/late").status, client.get("/").status], [202, 500, 200]);
}

/// A body that breaks off in the component is not taken for a complete one.
#[test]
fn a_body_that_breaks_off_is_incomplete() {
    let server = serve("hostile", &["a"], "");
    for how in ["panic", "error"] {
        let mut client = Client::connect(server.address);
        client.start("GET", &format!("/abort?how={how}"), &[]);
        assert!(!client.try_response().is_ok_and(|response| response.status == 200), "{how}");
    }
    // A large body is not buffered when the middleware returns.
    assert_eq!(get(server.address, "/big?mib=8").body.len(), 8 << 20);
}

#[test]
fn full_permits_do_not_deadlock() {
    let names = ["a", "b"];
    let lines = format!("route = \"/*\"\nmiddleware = {names:?}");
    let text = manifest(
        "max-requests = 1\nqueue-timeout = \"10m\"",
        &[("api", "hello-p2", &lines), ("a", "middleware-p2", ""), ("b", "middleware-p2", "")],
    );
    let server = app(&text).serve();
    std::thread::scope(|scope| {
        let asked = [(); 8].map(|()| scope.spawn(|| get(server.address, "/").status));
        assert!(asked.into_iter().all(|asked| asked.join().unwrap() == 200));
    });
}

#[test]
fn without_a_next_component_it_is_refused() {
    let alone = crate::support::Run::guest("middleware-p2").finish();
    alone.failed(
        65,
        &["it imports wasi:http/incoming-handler@0.2.10: name it in the `middleware` of another component"],
    );
}
