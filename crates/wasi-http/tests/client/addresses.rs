//! The egress policy: denied requests never reach a socket, granted ones do.

use http::{Method, Request, Response, StatusCode};
use tempo_wasi_http::Client;
use wasmtime_wasi_http::Error;

use crate::support::{client, echo_head, empty, fetch, full, get, refused, serve};

#[tokio::test]
async fn nothing_is_sent_without_a_grant() {
    let server = serve(echo_head).await;
    for client in [client(&[], &[]), client(&["https://127.0.0.1", "http://127.0.0.1:1"], &["127.0.0.0/8"])] {
        let error = refused(&client, get(server.url("/"))).await;
        assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn every_spelling_of_a_private_address_is_denied_unless_granted() {
    let server = serve(echo_head).await;
    let port = server.address.port();
    let spellings = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "localhost",
        "LOCALHOST.",
    ];
    let any = client(&["*"], &[]);
    for host in spellings {
        let error = refused(&any, get(format!("http://{host}:{port}/"))).await;
        assert!(matches!(error, Error::DestinationIpProhibited), "{host}: {error:?}");
    }
    assert_eq!(server.connections(), 0);

    let ranged = client(&["*"], &["127.0.0.0/8"]);
    let literal = client(&[&format!("http://127.0.0.1:{port}")], &[]);
    for host in spellings {
        let request = || get(format!("http://{host}:{port}/"));
        assert_eq!(fetch(&ranged, request()).await.0.status, StatusCode::OK, "{host}");
        if host.to_lowercase().starts_with("localhost") {
            let error = refused(&literal, request()).await;
            assert!(matches!(error, Error::HttpRequestDenied), "{host}: {error:?}");
        } else {
            let (_, seen) = fetch(&literal, request()).await;
            assert!(seen.contains(&format!("host: 127.0.0.1:{port}")), "{host}: {seen}");
        }
    }
}

#[tokio::test]
async fn wrapped_loopback_and_other_special_addresses_are_denied() {
    let any = client(&["*"], &[]);
    for host in [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "192.168.0.1",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fd00:ec2::254]",
        "[fe80::1]",
    ] {
        let error = refused(&any, get(format!("http://{host}/"))).await;
        assert!(matches!(error, Error::DestinationIpProhibited), "{host}: {error:?}");
    }
}

#[tokio::test]
async fn a_name_that_resolves_to_a_private_address_needs_the_address_granted() {
    let server = serve(echo_head).await;
    let url = format!("http://localhost:{}", server.address.port());
    let error = refused(&client(&[&url], &[]), get(format!("{url}/"))).await;
    assert!(matches!(error, Error::DestinationIpProhibited), "{error:?}");
    assert_eq!(server.connections(), 0);
    let (parts, _) = fetch(&client(&[&url], &["127.0.0.1"]), get(format!("{url}/"))).await;
    assert_eq!(parts.status, StatusCode::OK);
}

#[tokio::test]
async fn a_redirect_is_handed_back_and_its_target_is_judged_anew() {
    let inner = serve(echo_head).await;
    let location = inner.url("/secret");
    let outer = serve(move |_| {
        let location = location.clone();
        async move { Response::builder().status(302).header("location", location).body(full("")).unwrap() }
    })
    .await;
    let client = client(&[&outer.url("")], &[]);
    let (parts, _) = fetch(&client, get(outer.url("/"))).await;
    assert_eq!(parts.status, StatusCode::FOUND);
    let next = parts.headers.get("location").unwrap().to_str().unwrap();
    let error = refused(&client, get(next)).await;
    assert!(matches!(error, Error::HttpRequestDenied), "{error:?}");
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn a_grant_with_a_path_covers_what_lies_below_it() {
    let server = serve(echo_head).await;
    let client = client(&[&server.url("/v1")], &[]);
    let (_, seen) = fetch(&client, get(server.url("/v1/a%20b?x=%2F..&y"))).await;
    assert!(seen.starts_with("GET /v1/a%20b?x=%2F..&y HTTP/1.1\n"), "{seen}");
    for path in ["/", "/v2", "/v10", "/v1/../v2", "/v1/%2e%2e/v2"] {
        let error = refused(&client, get(server.url(path))).await;
        assert!(matches!(error, Error::HttpRequestDenied), "{path}: {error:?}");
    }
}

async fn error_of(client: &Client, request: http::request::Builder) -> Error {
    refused(client, request.body(empty()).unwrap()).await
}

#[tokio::test]
async fn what_is_no_plain_request_is_refused() {
    let server = serve(echo_head).await;
    let client = client(&["*"], &["127.0.0.1"]);
    let url = server.url("/");
    let error = error_of(&client, Request::builder().method(Method::CONNECT).uri(&url)).await;
    assert!(matches!(error, Error::HttpRequestMethodInvalid), "{error:?}");
    let error = error_of(&client, Request::get(&url).header("upgrade", "websocket")).await;
    assert!(matches!(error, Error::HttpUpgradeFailed), "{error:?}");
    let error = error_of(&client, Request::get(url.replace("http://", "http://user:secret@"))).await;
    assert!(matches!(error, Error::HttpRequestUriInvalid), "{error:?}");
    let error = error_of(&client, Request::get(url.replace("http://", "gopher://"))).await;
    assert!(matches!(error, Error::HttpProtocolError), "{error:?}");
    let error = error_of(&client, Request::get("/relative")).await;
    assert!(matches!(error, Error::HttpRequestUriInvalid), "{error:?}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_server_sees_one_host_and_no_fields_of_a_connection() {
    let server = serve(echo_head).await;
    let client = client(&["*"], &["127.0.0.1"]);
    let request = Request::get(server.url("/x"))
        .header("host", "evil.test")
        .header("host", "evil2.test")
        .header("connection", "close, x-hop")
        .header("x-hop", "1")
        .header("keep-alive", "timeout=1")
        .header("proxy-authorization", "Basic eA==")
        .header("te", "trailers")
        .header("x-kept", "1")
        .body(empty())
        .unwrap();
    let (_, seen) = fetch(&client, request).await;
    assert_eq!(seen, format!("GET /x HTTP/1.1\nhost: {}\nte: trailers\nx-kept: 1", server.address));
}
