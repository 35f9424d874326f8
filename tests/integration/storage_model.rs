//! Random operations through a real component, with crashes: of the program for file stores, and of the server for
//! NATS. Acknowledged operations have taken effect; unfinished ones have taken effect completely or not at all.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use rustix::process::Signal;

use crate::support::ledger::{Action, Ledger, OpResult};
use crate::support::nats::Nats;
use crate::support::storage::Backend;
use crate::support::{Client, Response, Run, Server, eventually, slow};

/// The suffixes of a client's keys: unusual ones, and two for counters. The same for each client, with a prefix per
/// client.
const TEXTS: &[&str] = &["a", "A", "a b", "..", "\u{e4}", "%2F.", "a//b", "x.y"];
const NUMBERS: &[&str] = &["n", "n.n"];

/// The number of clients.
const CLIENTS: usize = 3;

/// A step, which is repeated until the crash.
#[derive(Clone, Copy, Debug)]
enum Step {
    Get(usize),
    Put { key: usize, length: usize, new: bool },
    Delete(usize),
    Add(usize),
    List,
}

/// The moment of the crash.
#[derive(Clone, Copy, Debug)]
struct Crash {
    /// After this number of acknowledged operations,
    operations: usize,
    /// and this time, in microseconds.
    micros: u64,
}

#[derive(Clone, Debug)]
struct Plan {
    clients: Vec<Vec<Step>>,
    crashes: Vec<Crash>,
}

/// A service as a guest exposes it over HTTP.
struct Service {
    guest: &'static str,
    flag: &'static str,
    counts: bool,
    longest: usize,
    ask: fn(&mut Client, &str, &Action) -> io::Result<OpResult>,
    list: fn(&mut Client, &str) -> io::Result<Option<Vec<String>>>,
}

const KEYVALUE: Service = Service {
    guest: "keyvalue-conformance",
    flag: "--keyvalue",
    counts: true,
    longest: 5_000,
    ask: ask_keyvalue,
    list: list_keyvalue,
};

const BLOBSTORE: Service = Service {
    guest: "blobstore",
    flag: "--blobstore",
    counts: false,
    // More than a chunk of any backend.
    longest: 400_000,
    ask: ask_blobstore,
    list: list_blobstore,
};

fn ask_keyvalue(client: &mut Client, key: &str, action: &Action) -> io::Result<OpResult> {
    let key = encoded(key);
    let response = match action {
        Action::Get => client.try_request("GET", &format!("/value?key={key}"), "")?,
        Action::Put { value, new: false } => client.try_request("PUT", &format!("/value?key={key}"), value)?,
        Action::Put { value, new: true } => client.try_request("PUT", &format!("/value?key={key}&new"), value)?,
        Action::Delete => client.try_request("DELETE", &format!("/value?key={key}"), "")?,
        Action::Add => client.try_request("POST", &format!("/increment?key={key}"), "")?,
    };
    Ok(match (response.status, action) {
        (200, Action::Get) => OpResult::Found(Some(response.body)),
        (404, Action::Get) => OpResult::Found(None),
        (200, Action::Add) => OpResult::Sum(response.text().trim().parse().unwrap()),
        (200, _) => OpResult::Done,
        _ if response.text() == "PreconditionFailed\n" => OpResult::Refused,
        _ if is_away(&response) => OpResult::Unknown,
        _ => panic!("{key}: {} {}", response.status, response.text()),
    })
}

fn is_away(response: &Response) -> bool {
    ["Timeout\n", "StoreUnavailable\n"].contains(&response.text().as_str())
}

fn list_keyvalue(client: &mut Client, prefix: &str) -> io::Result<Option<Vec<String>>> {
    let response = client.try_request("GET", &format!("/keys?prefix={}", encoded(prefix)), "")?;
    assert!(response.status == 200 || is_away(&response), "{} {}", response.status, response.text());
    Ok((response.status == 200).then(|| response.text().lines().map(str::to_owned).collect()))
}

fn ask_blobstore(client: &mut Client, key: &str, action: &Action) -> io::Result<OpResult> {
    let target = format!("/objects/{}", encoded(key));
    let response = match action {
        Action::Get => client.try_request("GET", &target, "")?,
        Action::Put { value, new } => {
            let condition = if *new { "If-None-Match: *\r\n" } else { "" };
            let length = value.len();
            let head =
                format!("PUT {target} HTTP/1.1\r\nHost: example.test\r\n{condition}Content-Length: {length}\r\n\r\n");
            client.try_send(head)?;
            client.try_send(value)?;
            client.try_response()?
        }
        Action::Delete => client.try_request("DELETE", &target, "")?,
        Action::Add => panic!("objects do not count"),
    };
    Ok(match (response.status, action) {
        (200, Action::Get) => OpResult::Found(Some(response.body)),
        (404, Action::Get) => OpResult::Found(None),
        (201, Action::Put { .. }) | (204, Action::Delete) => OpResult::Done,
        (412, Action::Put { .. }) => OpResult::Refused,
        (503, _) => OpResult::Unknown,
        (status, _) => panic!("{key}: {status} {}", response.text()),
    })
}

fn list_blobstore(client: &mut Client, prefix: &str) -> io::Result<Option<Vec<String>>> {
    let response = client.try_request("GET", &format!("/objects?prefix={}", encoded(prefix)), "")?;
    // The list is streamed: if it fails early, nothing is sent, and the response is that of a failed component.
    assert!([200, 500].contains(&response.status), "{} {}", response.status, response.text());
    let name =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["name"].as_str().unwrap().to_owned();
    Ok((response.status == 200).then(|| response.text().lines().map(name).collect()))
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A client, the only writer of its keys.
struct Actor {
    service: &'static Service,
    prefix: String,
    ledger: Ledger,
    /// The number of values that it has generated. Each value is unique.
    made: usize,
    steps: Vec<Step>,
    next: usize,
}

impl Actor {
    fn new(service: &'static Service, number: usize, steps: Vec<Step>) -> Self {
        let prefix = format!("c{number}/");
        let ends = TEXTS.iter().chain(NUMBERS.iter().filter(|_| service.counts));
        let ledger = Ledger::new(ends.map(|end| format!("{prefix}{end}")));
        Self { service, prefix, ledger, made: 0, steps, next: 0 }
    }

    /// Runs the steps in turn until `stop` is set or the server is unreachable. `done` counts the acknowledged
    /// operations.
    fn work(&mut self, address: SocketAddr, done: &AtomicUsize, stop: &AtomicBool) {
        while !stop.load(SeqCst) {
            let Ok(mut client) = Client::try_connect(address) else { return };
            while !stop.load(SeqCst) {
                let step = self.steps[self.next % self.steps.len()];
                self.next += 1;
                match self.step(&mut client, step) {
                    Ok(true) => drop(done.fetch_add(1, SeqCst)),
                    // The store is unreachable.
                    Ok(false) => thread::sleep(Duration::from_millis(20)),
                    Err(_) => break,
                }
            }
        }
    }

    /// Returns true if the response is conclusive.
    fn step(&mut self, client: &mut Client, step: Step) -> io::Result<bool> {
        let text = |key: usize| format!("{}{}", self.prefix, TEXTS[key % TEXTS.len()]);
        let (key, action) = match step {
            Step::List => {
                let Some(keys) = (self.service.list)(client, &self.prefix)? else { return Ok(false) };
                self.ledger.listed(&keys);
                return Ok(true);
            }
            Step::Get(key) => (text(key), Action::Get),
            Step::Delete(key) => (text(key), Action::Delete),
            Step::Add(key) if self.service.counts => {
                (format!("{}{}", self.prefix, NUMBERS[key % NUMBERS.len()]), Action::Add)
            }
            Step::Add(key) => (text(key), Action::Get),
            Step::Put { key, length, new } => {
                self.made += 1;
                let mut value = format!("{}{} ", self.prefix, self.made).into_bytes();
                let byte = |place: usize| (place.wrapping_mul(2_654_435_761) >> 9) as u8;
                value.extend((0..length % self.service.longest).map(|place| byte(place + self.made)));
                (text(key), Action::Put { value, new })
            }
        };
        let answer = (self.service.ask)(client, &key, &action);
        let result = answer.as_ref().unwrap_or(&OpResult::Unknown);
        self.ledger.learn(&key, &action, result);
        answer.map(|result| result != OpResult::Unknown)
    }

    /// Reads all keys: resolves the open operations, and verifies the others.
    fn check(&mut self, address: SocketAddr) {
        let mut client = Client::connect(address);
        // One connection preserves the order, so an operation in flight to the restarted server has arrived by now or
        // never will.
        eventually("a write is acknowledged", || {
            let probe = Action::Put { value: b"probe".to_vec(), new: false };
            ((self.service.ask)(&mut client, "probe", &probe).unwrap() == OpResult::Done).then_some(())
        });
        for key in self.ledger.keys() {
            let result = (self.service.ask)(&mut client, &key, &Action::Get).unwrap();
            assert_ne!(result, OpResult::Unknown, "{key}");
            self.ledger.learn(&key, &Action::Get, &result);
        }
        assert_eq!(self.ledger.open(), 0);
        let keys = (self.service.list)(&mut client, &self.prefix).unwrap().expect("a list");
        self.ledger.listed(&keys);
    }
}

/// Runs all actors, calls `crash` in between, and stops them. Returns the number of open operations.
fn work_and_crash(actors: &mut [Actor], address: SocketAddr, when: Crash, crash: impl FnOnce()) -> usize {
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for actor in actors.iter_mut() {
            let (done, stop) = (&done, &stop);
            scope.spawn(move || actor.work(address, done, stop));
        }
        eventually("the clients work", || (done.load(SeqCst) >= when.operations).then_some(()));
        thread::sleep(Duration::from_micros(when.micros));
        crash();
        stop.store(true, SeqCst);
    });
    actors.iter().map(|actor| actor.ledger.open()).sum()
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = || 0..TEXTS.len();
    let length = prop_oneof![3 => 0..100_usize, 2 => 0..400_000_usize];
    let step = prop_oneof![
        2 => key().prop_map(Step::Get),
        6 => (key(), length, prop::bool::weighted(0.3)).prop_map(|(key, length, new)| Step::Put { key, length, new }),
        3 => key().prop_map(Step::Delete),
        3 => (0..NUMBERS.len()).prop_map(Step::Add),
        1 => Just(Step::List),
    ];
    prop::collection::vec(step, 5..60)
}

/// Runs random plans: a short one, or many with `cargo xtask test --slow`.
fn run(round: impl Fn(Plan)) {
    let (cases, crashes) = if slow() { (6, 10) } else { (1, 3) };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let crash = (3..80_usize, 0..4000_u64).prop_map(|(operations, micros)| Crash { operations, micros });
    let plans = (prop::collection::vec(steps(), CLIENTS), prop::collection::vec(crash, crashes))
        .prop_map(|(clients, crashes)| Plan { clients, crashes });
    let ran = runner.run(&plans, |plan| {
        round(plan);
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

fn actors(service: &'static Service, clients: Vec<Vec<Step>>) -> Vec<Actor> {
    clients.into_iter().enumerate().map(|(number, steps)| Actor::new(service, number, steps)).collect()
}

fn serve(service: &Service, url: &str) -> Server {
    Run::guest(service.guest).args([service.flag, url]).serve()
}

fn the_program_is_killed(service: &'static Service, file: &str) {
    run(|Plan { clients, crashes }| {
        let backend = Backend::file(file);
        let mut actors = actors(service, clients);
        let mut open = 0;
        for when in crashes {
            let mut server = serve(service, &backend.url);
            actors.iter_mut().for_each(|actor| actor.check(server.address));
            open += work_and_crash(&mut actors, server.address, when, || server.signal(Signal::KILL));
            assert_eq!(server.exit_code(), None, "ended by the signal");
        }
        println!("{open} keys were open after crashes");
        let server = serve(service, &backend.url);
        actors.iter_mut().for_each(|actor| actor.check(server.address));
    });
}

fn the_server_is_killed(service: &'static Service) {
    run(|Plan { clients, crashes }| {
        let mut nats = Nats::start();
        let server = serve(service, &nats.url("bucket"));
        let mut actors = actors(service, clients);
        let mut open = 0;
        for when in crashes {
            open += work_and_crash(&mut actors, server.address, when, || nats.crash_and_restart());
            actors.iter_mut().for_each(|actor| actor.check(server.address));
        }
        println!("{open} keys were open after crashes");
    });
}

#[test]
fn keys_in_a_file_survive_the_program() {
    the_program_is_killed(&KEYVALUE, "store.redb");
}

#[test]
fn keys_on_nats_survive_the_server() {
    the_server_is_killed(&KEYVALUE);
}

#[test]
fn objects_in_files_survive_the_program() {
    the_program_is_killed(&BLOBSTORE, "objects");
}

#[test]
fn objects_on_nats_survive_the_server() {
    the_server_is_killed(&BLOBSTORE);
}
