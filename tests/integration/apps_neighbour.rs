//! A component that exhausts its limits leaves its neighbours theirs.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::apps::{app, manifest};
use crate::support::{Client, Server, eventually};

/// The permits of the process, and those that only the neighbour takes.
const PERMITS: usize = 8;
const RESERVED: usize = 2;

/// An app of a hostile component, and of a neighbour with permits of its own.
fn serve(hostile: &str, of_hostile: &str) -> Server {
    let top =
        format!("max-requests = {PERMITS}\nmax-queued-requests = 16\nqueue-timeout = \"100ms\"\nmax-connections = 200");
    let neighbour = format!("route = \"neighbour.test/*\"\nreserved-requests = {RESERVED}");
    app(&manifest(
        &top,
        &[("hostile", hostile, &format!("route = \"/*\"\n{of_hostile}")), ("neighbour", "hostile", &neighbour)],
    ))
    .serve()
}

fn status(server: &Server, host: &str, target: &str) -> u16 {
    let mut client = Client::connect(server.address);
    client.send(format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    client.response().status
}

/// While `attack` goes on in several threads, requests of the neighbour are all answered.
fn is_served_beside(server: &Server, attack: impl Fn() + Sync) {
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !ended.load(Relaxed) {
                    attack();
                }
            });
        }
        for _ in 0..100 {
            assert_eq!(status(server, "neighbour.test", "/"), 200);
        }
        ended.store(true, Relaxed);
    });
}

/// Requests that never end take all permits but those of the neighbour, and fill the queue.
#[test]
fn a_flood_leaves_the_reserved_permits() {
    for hostile in ["hostile", "hostile-p2"] {
        let server = serve(hostile, "request-timeout = \"10m\"");
        let held: Vec<Client> = (0..PERMITS + 16)
            .map(|_| {
                let mut client = Client::connect(server.address);
                client.start("GET", "/never", &[]);
                client
            })
            .collect();
        eventually("no permit is left", || (status(&server, "hostile.test", "/") == 503).then_some(()));
        is_served_beside(&server, || assert_eq!(status(&server, "hostile.test", "/"), 503));
        // Both reserved permits are usable at once.
        std::thread::scope(|scope| {
            let asked = [(); RESERVED].map(|()| scope.spawn(|| status(&server, "neighbour.test", "/sleep?ms=100")));
            assert!(asked.into_iter().all(|asked| asked.join().unwrap() == 200));
        });
        drop(held);
    }
}

#[test]
fn loops_traps_and_allocations_are_the_own_problem_of_a_component() {
    for hostile in ["hostile", "hostile-p2"] {
        let server = serve(hostile, "cpu-timeout = \"500ms\"\nmax-memory = \"16MiB\"");
        for (target, expected) in [("/spin", 504), ("/panic", 500), ("/hog", 500)] {
            is_served_beside(&server, || assert_eq!(status(&server, "hostile.test", target), expected, "{target}"));
        }
        assert_eq!(status(&server, "hostile.test", "/"), 200, "it recovers");
    }
}
