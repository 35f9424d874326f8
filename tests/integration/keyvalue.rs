//! Keyvalue: the same components and the same assertions on every backend.

use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::storage::{Backend, on_each_backend};
use crate::support::{Client, Run, Server, eventually, get};

on_each_backend!(
    wasmcloud_keyvalue_is_as_it_is_meant,
    both_drafts_are_as_they_are_meant,
    the_example_counts_and_keeps_sessions,
    sessions_end_by_themselves,
    nothing_is_lost_among_requests_at_once,
    one_of_many_requests_takes_a_key,
);

/// Some checks create thousands of entries in one request.
const PATIENT: &[&str] = &["--request-timeout", "100s", "--cpu-timeout", "60s"];

/// Runs every check of a conformance guest.
fn checks(backend: &Backend, guest: &str, least: usize) {
    let server = backend.run(guest).args(PATIENT).serve();
    let names = get(server.address, "/checks").text();
    assert!(names.lines().count() >= least, "{names}");
    let mut failed = Vec::new();
    for name in names.lines() {
        let response = get(server.address, &format!("/check/{name}"));
        if response.status != 200 || response.text() != "ok\n" {
            failed.push(format!("{name}: {} {}", response.status, response.text()));
        }
    }
    assert!(failed.is_empty(), "on {}:\n{}", backend.url, failed.concat());
}

fn wasmcloud_keyvalue_is_as_it_is_meant(backend: &Backend) {
    checks(backend, "keyvalue-conformance", 38);
}

fn both_drafts_are_as_they_are_meant(backend: &Backend) {
    checks(backend, "keyvalue-drafts", 15 + 21);
}

fn the_example_counts_and_keeps_sessions(backend: &Backend) {
    for guest in ["keyvalue", "keyvalue-p2"] {
        let server = backend.serve(guest);
        let mut client = Client::connect(server.address);
        // The second guest may find the entries of the first.
        for session in ["42", "43", "44"] {
            assert_eq!(client.delete(&format!("/sessions/{session}")).status, 204, "{guest}");
        }
        counts(&mut client, guest);
        keeps_sessions(&mut client, guest);
    }
}

/// The counters are named after the guest, so that both begin at 0.
fn counts(client: &mut Client, guest: &str) {
    let counter = format!("/counters/{guest}%2Fa%20%C3%A4%2E%2e");
    assert_eq!(client.get(&counter).text(), "0\n", "{guest}");
    for sum in ["1\n", "2\n", "3\n"] {
        let response = client.post(&counter, "");
        assert_eq!((response.status, response.text().as_str()), (200, sum), "{guest}");
    }
    assert_eq!(client.get(&counter).text(), "3\n", "{guest}");
    assert_eq!(client.post(&format!("/counters/{guest}"), "").text(), "1\n", "{guest}");
    let keys = client.get(&format!("/keys?prefix=counters/{guest}%2F")).text();
    assert_eq!(keys, format!("counters/{guest}/a \u{e4}..\n"), "{guest}");
}

fn keeps_sessions(client: &mut Client, guest: &str) {
    assert_eq!(client.get("/sessions/42").status, 404, "{guest}");
    assert_eq!(client.put("/sessions/42", "Ada").status, 204, "{guest}");
    assert_eq!(client.get("/sessions/42").text(), "Ada", "{guest}");
    assert_eq!(client.put("/sessions/42?new", "Eve").status, 409, "{guest}");
    assert_eq!(client.get("/sessions/42").text(), "Ada", "{guest}");
    assert_eq!(client.put("/sessions/42", "\0\u{e4}").status, 204, "{guest}");
    assert_eq!(client.get("/sessions/42").body, "\0\u{e4}".as_bytes(), "{guest}");
    assert_eq!(client.put("/sessions/43?new", "").status, 204, "{guest}");
    let empty = client.get("/sessions/43");
    assert_eq!((empty.status, empty.body.len()), (200, 0), "{guest}");
    assert_eq!(sorted(&client.get("/keys?prefix=sessions/").text()), ["sessions/42", "sessions/43"], "{guest}");
    assert_eq!(client.delete("/sessions/42").status, 204, "{guest}");
    assert_eq!(client.get("/sessions/42").status, 404, "{guest}");
    assert_eq!(client.put("/sessions/42?new", "again").status, 204, "{guest}");
    assert_eq!(client.put("/sessions/44?ttl=soon", "").status, 400, "{guest}");
    assert_eq!(client.get("/nowhere").status, 404, "{guest}");
}

fn sorted(lines: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    lines
}

fn sessions_end_by_themselves(backend: &Backend) {
    let server = backend.serve("keyvalue");
    let mut client = Client::connect(server.address);
    assert_eq!(client.put("/sessions/long?ttl=3600&new", "long").status, 204);
    assert_eq!(client.put("/sessions/short?ttl=1", "short").status, 204);
    eventually("the session ends", || (client.get("/sessions/short").status == 404).then_some(()));
    assert_eq!(client.get("/keys?prefix=sessions/").text(), "sessions/long\n");
    assert_eq!(client.put("/sessions/short?new", "next").status, 204);
    assert_eq!(client.get("/sessions/long").text(), "long");
    assert_eq!(client.put("/sessions/none?ttl=0", "").status, 400);
    assert_eq!(client.put(&format!("/sessions/{}", "x".repeat(600)), "").status, 400);
}

/// Each request is a separate instance.
fn nothing_is_lost_among_requests_at_once(backend: &Backend) {
    let server = backend.run("keyvalue-conformance").args(PATIENT).serve();
    count_at_once(&[&server]);
    // The second component's counters are exact too, with compare-and-swap only.
    drop(server);
    let server = backend.run("keyvalue-p2").args(PATIENT).serve();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(server.address);
                for _ in 0..10 {
                    assert_eq!(client.post("/counters/at-once", "").status, 200);
                }
            });
        }
    });
    assert_eq!(get(server.address, "/counters/at-once").text(), "80\n");
}

/// Eight connections to each server, half of them with increments, half with compare-and-swap.
fn count_at_once(servers: &[&Server]) {
    thread::scope(|scope| {
        for server in servers {
            for target in ["/increment?key=n&times=10", "/update?key=m&times=10"].repeat(4) {
                scope.spawn(move || {
                    let mut client = Client::connect(server.address);
                    for _ in 0..5 {
                        let response = client.post(target, "");
                        assert_eq!(response.status, 200, "{target}: {}", response.text());
                    }
                });
            }
        }
    });
    for server in servers {
        let sum = (servers.len() * 4 * 5 * 10).to_string();
        assert_eq!(get(server.address, "/value?key=n").text(), sum, "increments");
        assert_eq!(get(server.address, "/value?key=m").text(), sum, "updates");
    }
}

fn one_of_many_requests_takes_a_key(backend: &Backend) {
    let server = backend.serve("keyvalue-conformance");
    for round in 0..10 {
        let target = format!("/value?key=lock{round}&new");
        let statuses: Vec<(u16, String)> = thread::scope(|scope| {
            let put = |number: usize| {
                let response = Client::connect(server.address).put(&target, format!("{number}"));
                (response.status, format!("{number}"))
            };
            let puts: Vec<_> = (0..8).map(|number| scope.spawn(move || put(number))).collect();
            puts.into_iter().map(|put| put.join().unwrap()).collect()
        });
        let winners: Vec<_> = statuses.iter().filter(|(status, _)| *status == 200).collect();
        assert_eq!(winners.len(), 1, "{statuses:?}");
        assert_eq!(get(server.address, &format!("/value?key=lock{round}")).text(), winners[0].1);
    }
}

#[test]
fn two_programs_count_in_one_bucket() {
    let backend = Backend::nats();
    let [one, other] = [(), ()].map(|()| backend.run("keyvalue-conformance").args(PATIENT).serve());
    count_at_once(&[&one, &other]);
}

#[test]
fn wasi_0_2_and_0_3_keep_the_same_data() {
    for backend in [Backend::file("store.redb"), Backend::nats()] {
        let new = backend.serve("keyvalue");
        let mut client = Client::connect(new.address);
        assert_eq!(client.put("/sessions/1", "from 0.3").status, 204);
        assert_eq!(client.post("/counters/both", "").text(), "1\n");
        drop((client, new));
        let old = backend.serve("keyvalue-p2");
        let mut client = Client::connect(old.address);
        assert_eq!(client.get("/sessions/1").text(), "from 0.3");
        assert_eq!(client.post("/counters/both", "").text(), "2\n");
    }
}

#[test]
fn a_store_is_what_its_name_says_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let nats = crate::support::nats::Nats::start();
    let file = |name: &str| format!("file:{}", directory.path().join(name).display());
    for [one, other] in [[file("a.redb"), file("b.redb")], [nats.url("a"), nats.url("b")]] {
        let server = Run::guest("keyvalue-conformance")
            .args(["--keyvalue", &format!("one={one}"), "--keyvalue", &format!("other={other}")])
            .serve();
        let mut client = Client::connect(server.address);
        assert_eq!(client.put("/value?key=k&store=one", "1").status, 200);
        assert_eq!(client.get("/value?key=k&store=other").status, 404);
        assert_eq!(client.get("/keys?prefix=&store=other").text(), "");
        assert_eq!(client.put("/value?key=k&store=other&new", "2").status, 200);
        assert_eq!(client.delete("/value?key=k&store=other").status, 200);
        assert_eq!(client.get("/value?key=k&store=one").text(), "1");
        // There is no fallback, not even to `default`, which exists only if it is configured or no store is.
        for name in ["default", "nowhere", ""] {
            let response = client.get(&format!("/value?key=k&store={name}"));
            assert_eq!((response.status, response.text().as_str()), (500, "NoSuchStore\n"), "{name}");
        }
    }
}

/// Returns the number of log lines that name the location of the data.
fn announced(server: &Server) -> usize {
    server.log.count(".tempo")
}

#[test]
fn without_configuration_data_is_on_disk() {
    let directory = TempDir::new().unwrap();
    let start = || Run::guest("keyvalue").within(directory.path()).serve();
    // A clean exit, a crash, and another clean exit.
    for (round, end) in [Signal::TERM, Signal::KILL, Signal::TERM].into_iter().enumerate() {
        let mut server = start();
        let mut client = Client::connect(server.address);
        assert_eq!(client.post("/counters/starts", "").text(), format!("{}\n", round + 1));
        assert_eq!(client.get("/sessions/1").status, if round == 0 { 404 } else { 200 });
        assert_eq!(client.put("/sessions/1", "kept").status, 204);
        server.log.wait_for(".tempo");
        assert_eq!(announced(&server), 1, "{}", server.log.text());
        assert!(directory.path().join(".tempo").is_dir());
        server.signal(end);
        assert_eq!(server.exit_code(), (end == Signal::TERM).then_some(0));
    }
}

#[test]
fn the_place_on_disk_can_be_chosen() {
    let directory = TempDir::new().unwrap();
    for count in ["1\n", "2\n"] {
        let server = Run::guest("keyvalue").within(directory.path()).args(["--data", "chosen"]).serve();
        assert_eq!(Client::connect(server.address).post("/counters/starts", "").text(), count);
    }
    assert!(directory.path().join("chosen").is_dir());
    assert!(!directory.path().join(".tempo").exists());
}

#[test]
fn nothing_is_put_on_disk_that_nobody_asked_for() {
    let directory = TempDir::new().unwrap();
    for run in [Run::guest("hello"), Run::guest("keyvalue").args(["--keyvalue", "memory:"])] {
        let server = run.within(directory.path()).serve();
        assert!(get(server.address, "/counters/x").status < 500);
        assert_eq!(announced(&server), 0, "{}", server.log.text());
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn stores_come_from_the_environment() {
    let directory = TempDir::new().unwrap();
    let url = format!("default=file:{}", directory.path().join("store.redb").display());
    for count in ["1\n", "2\n"] {
        let server = Run::guest("keyvalue").env("TEMPO_KEYVALUE", url.as_str()).serve();
        assert_eq!(Client::connect(server.address).post("/counters/starts", "").text(), count);
        assert_eq!(announced(&server), 0, "{}", server.log.text());
    }
}

/// The guest of `cargo xtask bench storage`, which is a command.
#[test]
fn a_command_keeps_things_too() {
    for operation in ["get", "set"] {
        let run = Run::guest("storage-bench").args(["--keyvalue", "memory:", "--", operation, "2000", "64"]);
        let ended = run.finish();
        let seconds: f64 = ended.succeeded().trim().parse().unwrap();
        assert!(seconds > 0.0, "{ended:?}");
    }
}
