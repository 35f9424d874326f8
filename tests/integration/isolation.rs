//! A failure in one request affects that request only.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::support::{Client, Server, get, serve, serve_with};

const HARD: &[&str] = &["--cpu-timeout", "300ms", "--request-timeout", "2s"];

/// Asserts the status of each target, and that the connection and the server keep working.
fn costs_one_request(guest: &str, targets: &[(&str, u16)]) {
    let server = serve_with(guest, HARD);
    let mut client = Client::connect(server.address);
    for (target, status) in targets {
        client.get(target).is_plain_refusal(*status);
        let next = client.get("/");
        assert_eq!((next.status, next.text().as_str()), (200, "hostile\n"), "after {target}");
    }
}

#[test]
fn with_wasi_0_3() {
    costs_one_request(
        "hostile",
        &[
            ("/panic", 500),
            ("/trap", 500),
            ("/spin", 504),
            ("/stack", 500),
            ("/leak?handles=1000000", 500),
            ("/leak?handles=1000000&kind=stream", 500),
            ("/never", 504),
            ("/never?how=deadlock", 504),
        ],
    );
}

#[test]
fn with_wasi_0_2() {
    costs_one_request("hostile-p2", &[("/panic", 500), ("/spin", 504), ("/never", 504), ("/no-response", 500)]);
}

#[test]
fn a_memory_hog_dies_alone() {
    for guest in ["hostile", "hostile-p2"] {
        let server = serve_with(guest, &["--max-memory", "32MiB", "--cpu-timeout", "10s"]);
        assert_eq!(get(server.address, "/hog?mib=16").text(), "16 MiB\n");
        get(server.address, "/hog").is_plain_refusal(500);
        assert_eq!(get(server.address, "/hog?mib=16").text(), "16 MiB\n");
    }
}

#[test]
fn the_host_says_why_in_its_log() {
    let server = serve("hostile");
    get(server.address, "/panic").is_plain_refusal(500);
    server.log.wait_for("the component trapped");
    server.log.wait_for("the secret is xyzzy");
}

/// Runs `work` while `count` connections fail continuously.
fn meanwhile<R>(server: &Server, count: usize, target: &str, work: impl FnOnce() -> R) -> R {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..count {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let status = get(server.address, target).status;
                    assert!(matches!(status, 500 | 504), "{target}: {status}");
                }
            });
        }
        let result = work();
        done.store(true, SeqCst);
        result
    })
}

/// Sends `count` requests, all of which must succeed.
fn answered(server: &Server, count: usize) {
    let mut client = Client::connect(server.address);
    for _ in 0..count {
        let response = client.get("/");
        assert_eq!((response.status, response.text().as_str()), (200, "hostile\n"));
    }
}

#[test]
fn neighbours_are_answered_while_others_crash() {
    let server = serve("hostile");
    for target in ["/panic", "/trap", "/stack", "/leak?handles=100000"] {
        meanwhile(&server, 2, target, || answered(&server, 200));
    }
}

#[test]
fn requests_share_nothing_while_they_run() {
    let server = serve("hostile");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = Client::connect(server.address);
                for number in 0..50 {
                    let body = format!("{thread}/{number};").repeat(1000);
                    assert!(client.post("/echo", &body).body == body.as_bytes(), "another request's body came back");
                }
            });
        }
    });
}
