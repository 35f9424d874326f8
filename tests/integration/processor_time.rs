//! The CPU time that a request is charged, and its share of a core under contention.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::support::{Client, Server, eventually, get, serve_with};

const BOTH: [&str; 2] = ["hostile", "hostile-p2"];

/// Starts a server on a single core.
fn serve_on_one_processor(guest: &str, arguments: &[&str]) -> (Server, CpuSet) {
    // Child processes inherit the CPU affinity of the thread.
    let started = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let processor = one_processor();
                sched_setaffinity(None, &processor).unwrap();
                (serve_with(guest, arguments), processor)
            })
            .join()
    });
    started.unwrap()
}

fn one_processor() -> CpuSet {
    let allowed = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU).find(|processor| allowed.is_set(*processor)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    one
}

/// Runs `work` while `count` threads compute on `processor`; also returns the CPU time of each.
fn beside_busy<R>(count: usize, processor: CpuSet, work: impl FnOnce() -> R) -> (R, Vec<Duration>) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = || {
            sched_setaffinity(None, &processor).unwrap();
            let before = used_by_thread();
            while !done.load(SeqCst) {
                std::hint::spin_loop();
            }
            used_by_thread() - before
        };
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(busy)).collect();
        let result = work();
        done.store(true, SeqCst);
        (result, threads.into_iter().map(|thread| thread.join().unwrap()).collect())
    })
}

/// Returns the CPU time of the calling thread.
fn used_by_thread() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

/// Returns the CPU time of all threads of a server, including those that have ended.
fn used(server: &Server) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.id())).unwrap();
    ticks(stat.rsplit_once(')').unwrap().1.split(' ').skip(12).take(2))
}

/// Returns the CPU time of all processes, with the time that a hypervisor gave to other machines.
fn used_by_all() -> Duration {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let times = stat.lines().next().unwrap().split_whitespace().skip(1);
    // user, nice, system, idle, iowait, irq, softirq, steal: interrupts include those of the requests.
    ticks(times.take(8).enumerate().filter(|(index, _)| ![3, 4, 5, 6].contains(index)).map(|(_, time)| time))
}

fn ticks<'a>(times: impl Iterator<Item = &'a str>) -> Duration {
    Duration::from_millis(times.map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

/// Returns the number of rounds of `/count` in a second of CPU time.
fn rounds_a_second(server: &Server) -> f64 {
    let mut rounds = 10_000_000_u64;
    loop {
        let before = used(server);
        assert_eq!(get(server.address, &format!("/count?rounds={rounds}")).status, 200);
        let used = used(server) - before;
        if used >= Duration::from_millis(100) {
            return rounds as f64 / used.as_secs_f64();
        }
        rounds *= 2;
    }
}

fn count(seconds: f64, speed: f64) -> String {
    format!("/count?rounds={}", (seconds * speed) as u64)
}

#[test]
fn waiting_for_a_processor_is_not_charged() {
    for guest in BOTH {
        let limits = ["--cpu-timeout", "400ms", "--request-timeout", "100s"];
        let (server, processor) = serve_on_one_processor(guest, &limits);
        let speed = rounds_a_second(&server);
        let (statuses, _) =
            beside_busy(4, processor, || [0.15, 1.0].map(|seconds| get(server.address, &count(seconds, speed)).status));
        assert_eq!(statuses, [200, 504], "{guest}");
        server.log.wait_for("--cpu-timeout");
    }
}

/// Long computations have a lower priority than other programs, but not so low that other busy programs starve them.
#[test]
fn a_computation_gets_half_of_what_another_program_gets() {
    for guest in BOTH {
        let limits = ["--cpu-timeout", "100s", "--request-timeout", "100s"];
        let (server, processor) = serve_on_one_processor(guest, &limits);
        let speed = rounds_a_second(&server);
        let before = used(&server);
        let (status, others) = beside_busy(4, processor, || get(server.address, &count(0.3, speed)).status);
        assert_eq!(status, 200);
        let (own, all) = (used(&server) - before, others.iter().sum::<Duration>());
        assert!(own * 2 >= all / 4, "{guest} had {own:?} while the others had {others:?}");
    }
}

/// Returns the latency of each request that was served one after the other in a turn.
fn turn(server: &Server) -> Vec<Duration> {
    const TURN: Duration = Duration::from_millis(150);
    let mut client = Client::connect(server.address);
    let mut latencies = Vec::new();
    let end = Instant::now() + TURN;
    while Instant::now() < end {
        let start = Instant::now();
        assert_eq!(client.get("/").status, 200);
        latencies.push(start.elapsed());
    }
    latencies
}

/// Runs `work` while four requests compute on the background threads.
fn beside_four<R>(server: &Server, work: impl FnOnce() -> R) -> R {
    let before = used(server);
    let spinning: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Client::connect(server.address);
            client.start("GET", "/spin", &[]);
            client
        })
        .collect();
    eventually("all are in the background", || (used(server) - before > Duration::from_millis(160)).then_some(()));
    let result = work();
    spinning.into_iter().for_each(Client::disconnect);
    eventually("all have ended", || {
        let before = used(server);
        std::thread::sleep(Duration::from_millis(30));
        (used(server) == before).then_some(())
    });
    result
}

/// Returns the latencies alone, and beside four computing requests, in turns of the same length.
fn alone_and_beside_four(server: &Server) -> (Vec<Duration>, Vec<Duration>) {
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        alone.extend(turn(server));
        beside.extend(beside_four(server, || turn(server)));
    }
    alone.sort();
    (alone, beside)
}

#[test]
fn neighbours_are_answered_as_before_while_four_requests_compute() {
    // Other load on the machine affects one side or the other, so a single try is inconclusive. If other programs use
    // more than a fifth of a core, they determine the tail latency and the number of responses.
    const TRIES: usize = 5;
    for guest in BOTH {
        let server = serve_with(guest, &["--cpu-timeout", "100s", "--request-timeout", "100s"]);
        turn(&server);
        let mut seen = Vec::new();
        let as_before = (0..TRIES).any(|_| {
            let others = || used_by_all().saturating_sub(used(&server) + used_by_thread());
            let (start, before) = (Instant::now(), others());
            let (alone, beside) = alone_and_beside_four(&server);
            let crowded = others().saturating_sub(before) * 5 > start.elapsed();
            let share = |percent: usize| alone[alone.len() * percent / 100];
            let slow = |percent: usize| beside.iter().filter(|latency| **latency > share(percent) * 2).count();
            let (median, tail) = (slow(50), slow(99));
            seen.push(format!("{} answers alone, {} beside four, {median} and {tail} slow", alone.len(), beside.len()));
            let as_many = beside.len() * 2 >= alone.len() && tail * 100 <= beside.len();
            median * 2 <= beside.len() && (as_many || crowded)
        });
        assert!(as_before, "{guest}: {seen:#?}");
    }
}
