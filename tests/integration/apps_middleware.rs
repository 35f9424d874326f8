//! Components that stand before another one.

use crate::apps::{app, manifest};
use crate::support::{Client, Response, Server, get};

/// An app in which requests pass through `outer` and `inner` to `api`.
fn through(api: &str, of_api: &str, of_middleware: &str) -> String {
    let api_lines = format!("route = \"/*\"\nmiddleware = [\"outer\", \"inner\"]\n{of_api}");
    let middleware = |name: &str| format!("env = {{ NAME = \"{name}\" }}\n{of_middleware}");
    manifest(
        "",
        &[("api", api, &api_lines), ("outer", "auth", &middleware("outer")), ("inner", "auth", &middleware("inner"))],
    )
}

fn via(response: &Response) -> Vec<String> {
    response.headers.iter().filter(|(name, _)| name == "via").map(|(_, value)| value.clone()).collect()
}

#[test]
fn a_request_passes_through_all_components_in_order() {
    for api in ["hello", "hello-p2"] {
        let server = app(&through(api, "", "")).serve();
        for _ in 0..3 {
            let response = get(server.address, "/");
            assert_eq!((response.status, response.text().as_str()), (200, "Hello from Tempo!\n"));
            // The innermost adds its field first.
            assert_eq!(via(&response), ["1.1 inner", "1.1 outer"], "{api}");
        }
    }
}

#[test]
fn middleware_answers_by_itself() {
    let text = through("hello", "", "").replace("NAME = \"outer\"", "NAME = \"outer\", TOKEN = \"t\"");
    let server = app(&text).serve();
    let refused = get(server.address, "/");
    assert_eq!((refused.status, via(&refused)), (401, vec!["1.1 outer".to_owned()]));
    let mut client = Client::connect(server.address);
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nAuthorization: Bearer t\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, via(&response).len()), (200, 2));
}

#[test]
fn a_request_about_the_whole_server_passes_through() {
    let server = app(&through("hello", "", "")).serve();
    let mut client = Client::connect(server.address);
    client.send("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, via(&response).len()), (200, 2));
}

/// Asserts that `target` returns each piece of a body before the next one is sent.
pub(crate) fn echoes_pieces(server: &Server, target: &str) {
    let mut client = Client::connect(server.address);
    client.start("POST", target, &["Transfer-Encoding: chunked"]);
    for number in 0..5 {
        let piece = format!("piece {number};");
        client.send_chunk(&piece);
        if number == 0 {
            assert_eq!(client.head().status, 200);
        }
        assert_eq!(String::from_utf8(client.chunk().unwrap().unwrap()).unwrap(), piece);
    }
    client.send_chunk("");
    assert_eq!(client.chunk().unwrap(), None);
}

#[test]
fn bodies_stream_through() {
    echoes_pieces(&app(&through("hostile-p3", "", "")).serve(), "/pass");
}

/// The component sees the request as the client sent it.
#[test]
fn the_host_and_the_path_go_through() {
    let text = through("config-only", "config = { A = \"1\" }", "");
    let server = app(&text).serve();
    assert_eq!(get(server.address, "/x?key=A").text(), "1\n");
}

#[test]
fn a_trap_behind_middleware_is_a_500() {
    let server = app(&through("hostile", "", "")).serve();
    let response = get(server.address, "/panic");
    assert_eq!((response.status, via(&response)), (500, vec!["1.1 inner".to_owned(), "1.1 outer".to_owned()]));
}

/// Requests of other components pass through too.
#[test]
fn chained_requests_pass_through() {
    let front = ("front", "hostile", "route = \"/*\"\nallow-http = \"http://api.tempo.internal\"");
    let api = ("api", "hello", "middleware = [\"auth\"]");
    let text = manifest("", &[front, api, ("auth", "auth", "env = { TOKEN = \"t\" }")]);
    let server = app(&text).serve();
    assert_eq!(get(server.address, "/fetch?url=http://api.tempo.internal/").text().trim(), "401 Unauthorized");
}

/// Middleware may return the response that it has received, as it is.
#[test]
fn a_response_passes_through_unchanged() {
    for api in ["hello", "hostile-p2"] {
        let lines = "route = \"/*\"\nmiddleware = [\"pass\", \"too\"]";
        let pass = [("pass", "middleware-pass", ""), ("too", "middleware-pass", "")];
        let text = manifest("", &[("api", api, lines), pass[0], pass[1]]);
        let server = app(&text).serve();
        let through = get(server.address, "/");
        let direct = app(&manifest("", &[("api", api, "route = \"/*\"")])).serve();
        let direct = get(direct.address, "/");
        assert_eq!((through.status, through.text()), (direct.status, direct.text()), "{api}");
    }
}

/// The grants of middleware are its own: neither those of the component behind it, nor that one's its.
#[test]
fn middleware_has_grants_of_its_own() {
    let with = |of_api: &str, of_middleware: &str| {
        let api = format!("route = \"/*\"\nmiddleware = [\"pass\"]\n{of_api}");
        let pass = format!("env = {{ FETCH = \"other.tempo.internal\" }}\n{of_middleware}");
        let other = ("other", "hello", "route = \"other.test/*\"");
        let text = manifest("", &[("api", "hostile", &api), ("pass", "middleware-pass", &pass), other]);
        get(app(&text).serve().address, "/").status
    };
    let grant = "allow-http = \"http://other.tempo.internal\"";
    assert_eq!((with("", grant), with(grant, "")), (200, 500));
}

/// A component that is middleware of two others passes each request on to the right one.
#[test]
fn middleware_is_shared() {
    let text = manifest(
        "",
        &[
            ("a", "config-only", "route = \"/a/*\"\nmiddleware = [\"auth\"]\nconfig = { K = \"a\" }"),
            ("b", "config-only", "route = \"/b/*\"\nmiddleware = [\"auth\"]\nconfig = { K = \"b\" }"),
            ("auth", "auth", "instance-reuse = 100"),
        ],
    );
    let server = app(&text).serve();
    for _ in 0..3 {
        for name in ["a", "b"] {
            assert_eq!(get(server.address, &format!("/{name}/x?key=K")).text(), format!("{name}\n"));
        }
    }
}

#[test]
fn full_permits_do_not_deadlock() {
    let server = app(&through("hello", "", "").replacen('\n', "\nmax-requests = 1\n", 1)).serve();
    let clients: Vec<_> = (0..8).map(|_| server.address).collect();
    let clients = clients.into_iter().map(|address| std::thread::spawn(move || get(address, "/").status));
    for client in clients.collect::<Vec<_>>() {
        assert_eq!(client.join().unwrap(), 200);
    }
}

fn fails(text: &str, code: i32, what: &str) {
    app(text).finish().failed(code, &[what]);
}

#[test]
fn mistakes_are_errors_at_start() {
    let with = |lines: &str| manifest("", &[("api", "hello", lines), ("pricing", "pricing", "")]);
    fails(&with("route = \"/*\"\nmiddleware = [\"auth\"]"), 78, "the app has no component auth; declare it");
    fails(&with("route = \"/*\"\nmiddleware = [\"api\"]"), 78, "a component is not its own middleware");
    fails(&with("route = \"/*\"\nmiddleware = [\"pricing\"]"), 78, "the component pricing exports no HTTP handler");
    let other = manifest("", &[("api", "hello", "route = \"/*\"\nmiddleware = [\"front\"]"), ("front", "hello", "")]);
    fails(&other, 65, "front: it is middleware of another component, and does not import wasi:http/handler@0.3.0");
    let of_pricing = manifest(
        "",
        &[
            ("shop", "checkout", "route = \"/*\"\nimports = { \"acme:pricing/quote\" = \"pricing\" }"),
            ("pricing", "pricing", "middleware = [\"auth\"]"),
            ("auth", "auth", ""),
        ],
    );
    fails(&of_pricing, 78, "pricing exports no HTTP handler; remove the middleware");
    let nested = [
        ("api", "hello", "route = \"/*\"\nmiddleware = [\"a\"]"),
        ("a", "auth", "middleware = [\"b\"]"),
        ("b", "auth", ""),
    ];
    fails(&manifest("", &nested), 78, "a has middleware of its own; list that here, before it");
    let routed = [("api", "hello", "route = \"/*\"\nmiddleware = [\"a\"]"), ("a", "auth", "route = \"/a\"")];
    fails(&manifest("", &routed), 65, "a: it is middleware, and its route leads to no next handler; remove the route");
    let names = ["\"a\""; 17].join(", ");
    let many = [("api", "hello", format!("route = \"/*\"\nmiddleware = [{names}]")), ("a", "auth", String::new())];
    let many: Vec<_> = many.iter().map(|(name, guest, lines)| (*name, *guest, lines.as_str())).collect();
    fails(&manifest("", &many), 78, "17 components; a chain has at most 16 before the last");
    let single = crate::support::Run::guest("auth").finish();
    single.failed(65, &["auth: it imports wasi:http/handler@0.3.2: name it in the `middleware` of another component"]);
    let alone = crate::support::Run::guest("hello").args(["--middleware", "auth"]).finish();
    alone.failed(64, &["only a component of an app has middleware"]);
}
