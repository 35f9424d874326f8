//! More messages than can be handled concurrently: they stay in the broker, not in memory, and do not delay HTTP
//! requests.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::support::messaging::{Broker, done, publish_many, wait_done};
use crate::support::{Client, Server, eventually, slow};

const GUEST: &str = "messaging-conformance";

/// The allowed memory growth of a burst, in bytes.
const MAX_GROWTH_BYTES: u64 = 32 << 20;

/// The number of messages per request, which has a timeout.
const BATCH_MESSAGES: usize = 500;

/// Returns the resident memory of the process, in bytes.
fn resident(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

fn burst(broker: &Broker) {
    let count = if slow() { 100_000 } else { 10_000 };
    let server = broker.serve(GUEST, "check.>");
    let address = server.address;
    // Creates the instances, connections and buffers.
    for _ in 0..4 {
        publish_many(address, BATCH_MESSAGES, "topic=check.before&act=count");
    }
    wait_done(address, "check.before", 4 * BATCH_MESSAGES);
    let before = resident(&server);
    let (over, answered, most) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(address);
            while !over.load(SeqCst) {
                assert_eq!(client.get("/checks").status, 200, "HTTP requests are answered");
                answered.fetch_add(1, SeqCst);
                let now = usize::try_from(resident(&server).saturating_sub(before)).unwrap();
                most.fetch_max(now, SeqCst);
                thread::sleep(Duration::from_millis(5));
            }
        });
        for _ in 0..count / BATCH_MESSAGES {
            publish_many(address, BATCH_MESSAGES, "topic=check.burst&act=count");
        }
        // The timeout applies to the next message, not to all.
        let mut last = 0;
        while last < count {
            last = eventually("more is handled", || Some(done(address, "check.burst")).filter(|now| *now > last));
        }
        over.store(true, SeqCst);
    });
    let (answered, most) = (answered.into_inner(), most.into_inner() as u64);
    println!("{count} messages on {}: {answered} requests meanwhile, {} KiB more", broker.url, most >> 10);
    assert!(answered > 10, "{answered} requests were answered");
    assert!(most < MAX_GROWTH_BYTES, "{} MiB more than before the burst", most >> 20);
    assert_eq!(done(address, "check.burst"), count, "each of them once");
}

#[test]
fn a_burst_waits_in_the_file() {
    burst(&Broker::file());
}

#[test]
fn a_burst_waits_in_the_stream() {
    burst(&Broker::jetstream());
}
