//! Outgoing requests: the addresses that a guest may reach, in both versions of WASI.

use std::net::TcpListener;

use crate::support::upstream::Upstream;
use crate::support::{Response, Server, get, serve, serve_with};

const BOTH: [&str; 2] = ["hostile", "hostile-p2"];

fn fetch(server: &Server, url: &str) -> Response {
    get(server.address, &format!("/fetch?url={url}"))
}

/// Asserts that the guest received the error for a denied request, in either version.
#[track_caller]
fn is_denied(response: &Response) {
    let text = response.text();
    assert_eq!(response.status, 502, "{text}");
    assert!(text.contains("HTTP-request-denied") || text.contains("HttpRequestDenied"), "{text}");
}

/// Asserts that the guest received the error for a prohibited address.
#[track_caller]
fn is_prohibited(response: &Response, what: &str) {
    let text = response.text();
    assert_eq!(response.status, 502, "{what}: {text}");
    let prohibited = text.contains("destination-IP-prohibited") || text.contains("DestinationIpProhibited");
    assert!(prohibited, "{what}: {text}");
}

#[test]
fn nothing_is_allowed_by_default() {
    let upstream = Upstream::answering("secret");
    for guest in BOTH {
        let server = serve(guest);
        is_denied(&fetch(&server, &upstream.url("/")));
        is_denied(&fetch(&server, "http://example.com/"));
        is_denied(&fetch(&server, "https://169.254.169.254/latest/meta-data"));
        server.log.wait_for(&format!("to allow it, add `--allow-http http://{}`", upstream.address));
    }
    assert_eq!(upstream.accepted(), 0);
}

#[test]
fn what_a_url_grants_and_what_not() {
    let upstream = Upstream::answering("granted");
    let other = Upstream::answering("secret");
    for guest in BOTH {
        let server = serve_with(guest, &["--allow-http", &upstream.url("/public")]);
        let response = fetch(&server, &upstream.url("/public/page"));
        assert!(response.text().starts_with("200"), "{}", response.text());
        assert!(response.text().ends_with("granted"), "{}", response.text());
        is_denied(&fetch(&server, &upstream.url("/")));
        is_denied(&fetch(&server, &upstream.url("/publications")));
        is_denied(&fetch(&server, &other.url("/public")));
        is_denied(&fetch(&server, &format!("https://{}/public", upstream.address)));
        for path in ["/public/../private", "/public/%2e%2e/private", "/public/..%2fprivate"] {
            assert_eq!(fetch(&server, &upstream.url(path)).status, 502, "{path}");
        }
    }
    assert_eq!((upstream.accepted(), other.accepted()), (2, 0));
}

#[test]
fn a_private_address_needs_a_grant_of_its_own() {
    let upstream = Upstream::answering("secret");
    for guest in BOTH {
        let server = serve_with(guest, &["--allow-http", "*"]);
        is_prohibited(&fetch(&server, &upstream.url("/")), "any URL");
        for address in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "[::1]",
            "[fd00::1]",
            "[fe80::1]",
        ] {
            is_prohibited(&fetch(&server, &format!("http://{address}/")), address);
        }
    }
    assert_eq!(upstream.accepted(), 0);
    let server = serve_with("hostile", &["--allow-http", "*", "--allow-http-address", "127.0.0.0/8"]);
    assert!(fetch(&server, &upstream.url("/")).text().ends_with("secret"));
    is_prohibited(&fetch(&server, "http://10.0.0.1/"), "another range");
}

#[test]
fn metadata_services_are_part_of_no_range() {
    for guest in BOTH {
        let arguments =
            ["--allow-http", "*", "--allow-http-address", "169.254.0.0/16", "--allow-http-address", "fd00::/8"];
        let server = serve_with(guest, &arguments);
        for address in ["169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "[fd00:ec2::254]"] {
            is_prohibited(&fetch(&server, &format!("http://{address}/")), address);
        }
    }
}

/// Spellings of 127.0.0.1, and other addresses of this machine.
const SPELLINGS: [&str; 16] = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::1]",
    "0.0.0.0",
    "0",
    "127.255.255.254",
];

#[test]
fn no_spelling_of_an_address_is_a_way_around() {
    let upstream = Upstream::answering("secret");
    let port = upstream.address.port();
    for guest in BOTH {
        let server = serve_with(guest, &["--allow-http", "*"]);
        for spelling in SPELLINGS {
            is_prohibited(&fetch(&server, &format!("http://{spelling}:{port}/")), spelling);
        }
    }
    assert_eq!(upstream.accepted(), 0);
}

#[test]
fn a_name_is_judged_by_the_address_it_resolves_to() {
    let upstream = Upstream::answering("local");
    let port = upstream.address.port();
    let granted = format!("http://localhost:{port}");
    for guest in BOTH {
        for grant in ["*", &granted] {
            let server = serve_with(guest, &["--allow-http", grant]);
            for name in ["localhost", "LOCALHOST", "localhost."] {
                is_prohibited(&fetch(&server, &format!("http://{name}:{port}/")), name);
            }
        }
    }
    assert_eq!(upstream.accepted(), 0);
    let server = serve_with("hostile", &["--allow-http", &granted, "--allow-http-address", "127.0.0.1"]);
    assert!(fetch(&server, &format!("http://localhost:{port}/")).text().ends_with("local"));
    is_denied(&fetch(&server, &upstream.url("/")));
}

#[test]
fn a_redirect_is_judged_again() {
    let private = Upstream::answering("secret");
    let location = format!("Location: {}", private.url("/"));
    let public = Upstream::start(move |exchange| exchange.answer("302 Found", &[&location], ""));
    for guest in BOTH {
        let server = serve_with(guest, &["--allow-http", &public.url("")]);
        let response = fetch(&server, &public.url("/"));
        assert!(response.text().starts_with("302"), "the host follows nothing by itself: {}", response.text());
        is_denied(&fetch(&server, &private.url("/")));
    }
    assert_eq!((public.accepted(), private.accepted()), (2, 0));
}

#[test]
fn a_guest_learns_nothing_about_the_network_from_what_is_denied() {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = serve_with("hostile", &["--allow-http", "*"]);
    let answers =
        [open.local_addr().unwrap(), closed].map(|address| fetch(&server, &format!("http://{address}/")).text());
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn the_environments_proxy_is_not_used() {
    let proxy = Upstream::answering("by proxy");
    let upstream = Upstream::answering("direct");
    let run = crate::support::Run::guest("hostile").args(["--allow-http", &upstream.url("")]);
    let server =
        run.env("http_proxy", proxy.url("")).env("HTTP_PROXY", proxy.url("")).env("ALL_PROXY", proxy.url("")).serve();
    assert!(fetch(&server, &upstream.url("/")).text().ends_with("direct"));
    assert_eq!(proxy.accepted(), 0);
}
