//! The page of `--dashboard`, of real programs in a real browser.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::support::browser::Browser;
use crate::support::collector::with_telemetry;
use crate::support::messaging::Broker;
use crate::support::{Client, Run, Server, get, slow};

/// Returns the address of the server's page.
fn page(server: &Server) -> SocketAddr {
    server.log.wait_for("dashboard on http://").rsplit('/').next().unwrap().parse().unwrap()
}

/// Returns the body of `path` on the page, which accepts host names of this machine only.
fn ask(page: SocketAddr, path: &str) -> String {
    let mut client = Client::connect(page);
    client.send(format!("GET {path} HTTP/1.1\r\nHost: {page}\r\n\r\n"));
    client.response().text()
}

#[test]
fn a_request_through_three_processes_is_one_waterfall() {
    let broker = Broker::jetstream();
    let egress = ["--allow-http", "*", "--allow-http-address", "127.0.0.1/32"];
    let run = broker.run("fan-out").args(egress).args(["--dashboard", "127.0.0.1:0"]);
    let front = run.serve();
    let page = page(&front);
    let second = with_telemetry(page, Run::guest("otel"), "second").serve();
    let third = with_telemetry(page, broker.worker("work.>"), "third").work();
    let url = format!("http://{}/join", second.address);
    let request = || {
        let mut client = Client::connect(front.address);
        client.start("GET", "/orders", &[&format!("second: {url}")]);
        assert_eq!(client.response().status, 200);
    };

    let mut browser = Browser::start();
    browser.open(&format!("http://{page}/"));
    browser.until("document.querySelector('#health').textContent === 'ready'");
    request();
    // The server's span of the first program; those of the others are calls too.
    let first = "[...document.querySelectorAll('#calls .call')].find(row => row.innerText.includes('/orders'))";
    browser.until(&format!("{first} !== undefined"));
    browser.eval(&format!("{first}.click()"));
    browser.until("document.querySelectorAll('#waterfall .span').length === 13");
    let rows = browser.eval(
        "[...document.querySelectorAll('#waterfall .span')].map(row => '  '.repeat(row.getAttribute('aria-level') - 1) + \
         [...row.querySelector('.name').childNodes].map(node => node.textContent).join(' ') + \
         (row.classList.contains('guest') ? ' (guest)' : ''))",
    );
    let address = second.address;
    let expected = json!([
        "test_fan_out GET /orders",
        "  set default",
        "  get default",
        format!("  GET {}", address.ip()),
        "    second GET /join",
        "      GET (guest)",
        "        left (guest)",
        "          left.after (guest)",
        "        right (guest)",
        "          right.after (guest)",
        "  publish work.done",
        "    third process work.done",
        "      increment default",
    ]);
    assert_eq!(rows, expected, "{rows:#}");
    // Data for the screenshots, one of which is in the README.
    for count in 0..if slow() { 1_000 } else { 0 } {
        request();
        std::thread::sleep(Duration::from_millis(count % 50));
    }
    for scheme in ["dark", "light"] {
        browser.prefer(scheme);
        let name = format!("dashboard-processes-{scheme}.png");
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), browser.picture()).unwrap();
    }
    assert_eq!(browser.complaints(), [""; 0]);
    drop((second, third));
}

#[test]
fn the_dashboard_shows_what_the_runtime_does() {
    let grants = ["--env", "TOKEN=s3cret", "--allow-http", "https://hooks.example.com/s3cret"];
    let front = Run::guest("otel").args(["--dashboard", "127.0.0.1:0"]).args(grants).serve();
    let page = page(&front);
    assert_eq!(get(front.address, "/join").status, 200);
    assert_eq!(get(front.address, "/logs").status, 200);
    assert!(ask(page, "/").contains("<html"));
    let recent = ask(page, "/api/recent");
    for part in ["right.after", "by tracing", "/join"] {
        assert!(recent.contains(part), "no `{part}` in {recent}");
    }
    let component = ask(page, "/api/component");
    for part in ["wasi:otel/tracing", "\"env\":[\"TOKEN\"]", "\"allow-http\":[\"https://hooks.example.com/***\"]"] {
        assert!(component.contains(part) && !component.contains("s3cret"), "{component}");
    }
    assert!(ask(page, "/api/metrics").contains("http_server_request_duration"));
}
