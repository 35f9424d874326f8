//! Clients that are slow, idle or disconnected.

use crate::support::{Client, eventually, get, serve_with};

#[test]
fn a_head_that_does_not_end_is_given_up() {
    let server = serve_with("hello", &["--header-timeout", "300ms"]);
    let mut slow = Client::connect(server.address);
    slow.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let mut silent = Client::connect(server.address);
    slow.is_closed();
    silent.is_closed();
    assert_eq!(get(server.address, "/").status, 200);
}

#[test]
fn a_head_that_does_not_end_is_given_up_on_a_used_connection() {
    let server = serve_with("hello", &["--header-timeout", "300ms"]);
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/").status, 200);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    client.is_closed();
}

#[test]
fn a_slow_request_is_no_slow_head() {
    let server = serve_with("hostile", &["--header-timeout", "200ms", "--idle-timeout", "200ms"]);
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/sleep?ms=1000").text(), "slept\n");
    client.start("POST", "/echo", &["Content-Length: 10"]);
    client.send("01234");
    std::thread::sleep(std::time::Duration::from_millis(1000));
    client.send("56789");
    assert_eq!(client.response().text(), "0123456789");
}

#[test]
fn an_idle_connection_is_closed() {
    let server = serve_with("hello", &["--idle-timeout", "300ms"]);
    let mut client = Client::connect(server.address);
    assert_eq!(client.get("/").status, 200);
    client.is_closed();
}

/// One permit, which is free only once the guest of a disconnected client has ended. One request may queue: otherwise
/// the request that checks whether the permit is free could arrive first and turn the other one away.
const ONE: [&str; 6] = ["--max-requests", "1", "--max-queued-requests", "1", "--request-timeout", "10m"];

#[test]
fn a_client_that_goes_away_ends_its_guest() {
    for guest in ["hostile", "hostile-p2"] {
        // A response that streams has another permit than a request.
        let stream =
            if guest == "hostile" { ("/big?mib=100000", "/big?mib=1") } else { ("/stream?chunks=100000", "/stream") };
        for (target, probe) in [("/never", "/"), ("/spin", "/"), stream] {
            let server = serve_with(guest, &[&ONE[..], &["--cpu-timeout", "10m"]].concat());
            let mut client = Client::connect(server.address);
            client.start("GET", target, &[]);
            eventually("the place is taken", || (get(server.address, probe).status == 503).then_some(()));
            client.disconnect();
            eventually(&format!("{guest}{target} is ended"), || {
                (get(server.address, probe).status == 200).then_some(())
            });
        }
    }
}

#[test]
fn an_upload_that_breaks_off_does_not_hang() {
    let server = serve_with("hostile", &ONE);
    let mut client = Client::connect(server.address);
    client.start("POST", "/write?path=/nowhere", &["Content-Length: 100"]);
    client.send("half");
    eventually("the place is taken", || (get(server.address, "/").status == 503).then_some(()));
    client.disconnect();
    eventually("the place is free", || (get(server.address, "/").status == 200).then_some(()));
}
