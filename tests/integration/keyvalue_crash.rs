//! Crashes while components write: acknowledged writes are stored, others are stored completely or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::nats::Nats;
use crate::support::storage::Backend;
use crate::support::{Client, Run, eventually, slow};

const WRITERS: usize = 4;

/// The results that the writers received.
#[derive(Default)]
struct Ledger {
    /// The values of keys with an acknowledged write.
    kept: BTreeMap<String, String>,
    /// The values of failed writes per key, since its last acknowledged write: each may have taken effect.
    unknown: BTreeMap<String, Vec<String>>,
    /// The keys that were written since the last check.
    recent: BTreeSet<String>,
    /// The counter at the last check, and the acknowledged and the failed increments since.
    counter: u64,
    added: u64,
    maybe_added: u64,
}

impl Ledger {
    fn wrote(&mut self, key: String, value: String, acknowledged: bool) {
        self.recent.insert(key.clone());
        if acknowledged {
            self.unknown.remove(&key);
            self.kept.insert(key, value);
        } else {
            self.unknown.entry(key).or_default().push(value);
        }
    }

    fn counted(&mut self, acknowledged: bool) {
        if acknowledged {
            self.added += 1;
        } else {
            self.maybe_added += 1;
        }
    }

    /// Compares the store with the results since the last check, and takes the store's state as the new base.
    fn check(&mut self, address: SocketAddr) {
        let mut client = Client::connect(address);
        for key in std::mem::take(&mut self.recent) {
            let (there, kept) = (value(&mut client, &key), self.kept.get(&key));
            let unknown = self.unknown.remove(&key).unwrap_or_default();
            let whole = there.as_ref() == kept || there.as_ref().is_some_and(|there| unknown.contains(there));
            assert!(whole, "{key} is {there:?}; it was {kept:?} and may be one of {unknown:?}");
            if let Some(there) = there {
                self.kept.insert(key, there);
            }
        }
        let counter = value(&mut client, "counter").map_or(0, |text| text.parse().unwrap());
        let least = self.counter + self.added;
        let most = least + self.maybe_added;
        assert!((least..=most).contains(&counter), "the counter is {counter}, and not {least} to {most}");
        (self.counter, self.added, self.maybe_added) = (counter, 0, 0);
    }

    /// Compares all keys.
    fn check_all(&mut self, address: SocketAddr) {
        self.recent.extend(self.kept.keys().cloned());
        self.check(address);
        let keys = Client::connect(address).get("/keys?prefix=").text();
        let counter = (self.counter > 0).then_some("counter");
        let wanted: BTreeSet<&str> = self.kept.keys().map(String::as_str).chain(counter).collect();
        assert_eq!(keys.lines().collect::<BTreeSet<_>>(), wanted);
    }
}

fn value(client: &mut Client, key: &str) -> Option<String> {
    let response = client.get(&format!("/value?key={key}"));
    match response.status {
        200 => Some(response.text()),
        404 => None,
        status => panic!("{key}: {status} {}", response.text()),
    }
}

/// Writes a key repeatedly, counts, and writes new keys, until `stop` is set or the server is unreachable. A failed
/// write may have taken effect.
fn write(
    address: SocketAddr,
    writer: usize,
    round: usize,
    ledger: &Mutex<Ledger>,
    done: &AtomicUsize,
    stop: &AtomicBool,
) {
    let Ok(mut client) = Client::try_connect(address) else { return };
    for number in 0.. {
        if stop.load(SeqCst) {
            return;
        }
        let key = match number % 3 {
            0 => Some(format!("w{writer}-again")),
            1 => None,
            _ => Some(format!("w{writer}-{round}-{number}")),
        };
        let value = format!("{writer} wrote {number} in round {round} {}", "x".repeat(number % 500));
        let response = match &key {
            Some(key) => client.try_request("PUT", &format!("/value?key={key}"), &value),
            None => client.try_request("POST", "/increment?key=counter", ""),
        };
        let acknowledged = response.as_ref().is_ok_and(|response| response.status == 200);
        match key {
            Some(key) => ledger.lock().unwrap().wrote(key, value, acknowledged),
            None => ledger.lock().unwrap().counted(acknowledged),
        }
        if acknowledged {
            done.fetch_add(1, SeqCst);
        } else if response.is_ok() {
            // The store is unreachable: without a pause there would be more failed writes than the check can
            // distinguish.
            thread::sleep(Duration::from_millis(20));
        } else {
            return;
        }
    }
}

/// Runs the writers, and calls `crash` after some writes.
fn crash_under_load(address: SocketAddr, round: usize, ledger: &Mutex<Ledger>, crash: impl FnOnce()) {
    let (done, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (done, stop) = (&done, &stop);
            scope.spawn(move || write(address, writer, round, ledger, done, stop));
        }
        // Some crashes happen early, some late.
        let enough = 5 + round * 17 % 90;
        eventually("the writers write", || (done.load(SeqCst) >= enough).then_some(()));
        crash();
        stop.store(true, SeqCst);
    });
}

#[test]
fn no_acknowledged_write_is_lost_when_the_program_is_killed() {
    let rounds = if slow() { 50 } else { 3 };
    let backend = Backend::file("store.redb");
    let ledger = Mutex::default();
    for round in 0..rounds {
        let mut server = backend.serve("keyvalue-conformance");
        Ledger::check(&mut ledger.lock().unwrap(), server.address);
        crash_under_load(server.address, round, &ledger, || server.signal(Signal::KILL));
        assert_eq!(server.exit_code(), None, "ended by the signal");
    }
    let server = backend.serve("keyvalue-conformance");
    let mut ledger = ledger.into_inner().unwrap();
    ledger.check_all(server.address);
    assert!(ledger.kept.len() > rounds * 3, "{} keys", ledger.kept.len());
}

#[test]
fn no_acknowledged_write_is_lost_when_nats_is_killed() {
    let rounds = if slow() { 20 } else { 3 };
    let mut nats = Nats::start();
    let url = nats.url("bucket");
    let server = Run::guest("keyvalue-conformance").args(["--keyvalue", &url]).serve();
    let ledger = Mutex::default();
    for round in 0..rounds {
        crash_under_load(server.address, round, &ledger, || nats.crash_and_restart());
        let restarted = Instant::now();
        eventually("the program has reconnected", || {
            let response = Client::connect(server.address).put("/value?key=probe", "probe");
            (response.status == 200).then_some(())
        });
        println!("round {round}: written again {:?} after the server was back", restarted.elapsed());
        let mut ledger = ledger.lock().unwrap();
        Ledger::wrote(&mut ledger, "probe".to_owned(), "probe".to_owned(), true);
        ledger.check(server.address);
    }
    let mut ledger = ledger.into_inner().unwrap();
    ledger.check_all(server.address);
    assert!(ledger.kept.len() > rounds * 3, "{} keys", ledger.kept.len());
}
