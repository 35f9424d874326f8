//! `cargo xtask bench telemetry`: the cost of telemetry (off, sampled, for every request), and of a slow, hanging or
//! absent collector.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;

use super::collector::{Collector, CollectorBehavior};
use super::contest::{Files, Guest, Program};
use super::cores::{self, Cores};
use super::load::{Generator, Load};
use super::machine::Machine;
use super::prepare;
use super::server::Server;
use super::table::{markdown, median, number};
use crate::shell::{self, say};
use crate::workspace::Workspace;

const WARM_UP_SECONDS: f64 = 0.5;

/// A telemetry configuration of the server.
struct Case {
    title: &'static str,
    /// True for the program that is built without telemetry.
    without: bool,
    /// The sampled share of traces, and the collector.
    sampled: Option<(&'static str, CollectorBehavior)>,
}

const CASES: &[Case] = &[
    Case { title: "built without", without: true, sampled: None },
    Case { title: "off", without: false, sampled: None },
    Case { title: "1 % sampled", without: false, sampled: Some(("0.01", CollectorBehavior::Quick)) },
    Case { title: "100 % sampled", without: false, sampled: Some(("1", CollectorBehavior::Quick)) },
    Case { title: "100 %, a slow collector (1 s)", without: false, sampled: Some(("1", CollectorBehavior::Slow)) },
    Case { title: "100 %, a collector that hangs", without: false, sampled: Some(("1", CollectorBehavior::Hung)) },
    Case { title: "100 %, no collector", without: false, sampled: Some(("1", CollectorBehavior::Absent)) },
];
/// The index of the case that the others are compared with.
const BASE: usize = 0;
/// The index of the case whose latencies those with bad collectors are compared with.
const FULL_SAMPLING: usize = 3;

/// The results of one case in one round.
struct Sample {
    load: Load,
    /// CPU time per request, in microseconds.
    cpu: f64,
    /// Peak memory of the process, in MiB.
    memory: f64,
    /// Duration of the shutdown, in milliseconds.
    end: f64,
}

struct Bench {
    files: Files,
    without: PathBuf,
    cores: Option<Cores>,
    connections: u16,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let profile = super::profile(arguments);
    let build = !arguments.get_flag("no-build");
    let without = without(profile, build)?;
    let files = prepare::files(&[Program::Tempo], profile, build)?;
    let connections = super::number(arguments, "connections");
    let bench = Bench { files, without, cores: Cores::choose(), connections };
    let rounds = super::number(arguments, "rounds");
    let seconds = f64::from(super::number(arguments, "seconds"));
    let mut samples: Vec<Vec<Sample>> = CASES.iter().map(|_| Vec::new()).collect();
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for (case, samples) in CASES.iter().zip(&mut samples) {
            let sample = bench.measure(case, seconds).with_context(|| case.title)?;
            say(&format!("  {:>9} requests/s  {}", number(Some(sample.load.rate), 0), case.title));
            samples.push(sample);
        }
    }
    println!("{}\n", Machine::read(&bench.files, bench.cores).markdown());
    println!("{connections} connections; medians of {rounds} interleaved rounds of {seconds} s.\n");
    print!("{}", table(&samples));
    Ok(())
}

/// Builds the program without the feature `telemetry`, beside the one with it.
fn without(profile: &str, build: bool) -> Result<PathBuf> {
    let directory = Workspace::load()?.target.join(profile);
    let program = directory.join("tempo-without-telemetry");
    if build {
        let mut cargo = shell::cargo();
        cargo.args(["build", "--profile", profile, "--package", "tempo", "--no-default-features"]);
        shell::run(&mut cargo)?;
        fs::copy(directory.join("tempo"), &program).context("cannot put the program aside")?;
    }
    Ok(program)
}

impl Bench {
    fn measure(&self, case: &Case, seconds: f64) -> Result<Sample> {
        let collector = case.sampled.map(|(_, manner)| Collector::start(manner)).transpose()?;
        let command = self.command(case, collector.as_ref());
        let server = Server::start(cores::pinned(command, self.cores.map(|cores| cores.server)))?;
        let core = self.cores.map(|cores| cores.load);
        let generator =
            Generator { program: &self.files.load, core, connections: self.connections, path: "/", body_bytes: 0 };
        generator.seconds(server.addr, WARM_UP_SECONDS)?;
        let before = server.usage()?;
        let load = generator.seconds(server.addr, seconds)?;
        let cpu = server.usage()?.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / load.requests;
        let sample = Sample { load, cpu, memory: memory(server.id())?, end: end(&server)? };
        // Telemetry that is not sent has no cost: the measurement would be wrong.
        let is_sent = collector.is_none_or(|collector| collector.received() > 0);
        let absent = matches!(case.sampled, Some((_, CollectorBehavior::Absent)));
        ensure!(is_sent || absent, "the collector received nothing");
        Ok(sample)
    }

    fn command(&self, case: &Case, collector: Option<&Collector>) -> Command {
        let mut command = self.files.program(Program::Tempo);
        if case.without {
            let mut other = Command::new(&self.without);
            other.args(command.get_args());
            command = other;
        }
        command.arg(self.files.guest(Guest::P3));
        if let (Some((share, _)), Some(collector)) = (case.sampled, collector) {
            command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address));
            command.env("OTEL_TRACES_SAMPLER", "parentbased_traceidratio").env("OTEL_TRACES_SAMPLER_ARG", share);
        }
        command
    }
}

/// Returns the peak memory of a process, in MiB.
fn memory(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).context("no VmHWM")?;
    Ok(kib / 1024.0)
}

/// Ends a server, and returns the duration in milliseconds.
fn end(server: &Server) -> Result<f64> {
    shell::run(Command::new("kill").args(["-TERM", &server.id().to_string()]))?;
    let begun = Instant::now();
    let stat = PathBuf::from(format!("/proc/{}/stat", server.id()));
    // An ended process is a zombie until its parent waits for it, which happens when the server is dropped.
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(begun.elapsed().as_secs_f64() * 1e3)
}

fn table(samples: &[Vec<Sample>]) -> String {
    let head =
        ["telemetry", "requests/s", "of without", "CPU µs", "p50 µs", "p99 µs", "p99 of taken", "peak MiB", "end ms"];
    let of = |case: usize, value: fn(&Sample) -> f64| median(samples.get(case).into_iter().flatten().map(value));
    // Compares two cases of one round, as the machine may have been slower in another.
    let ratio = |case: usize, base: usize, value: fn(&Sample) -> f64| {
        let pairs = samples.get(case).into_iter().flatten().zip(samples.get(base).into_iter().flatten());
        median(pairs.map(|(sample, base)| value(sample) / value(base)))
    };
    let rows = CASES.iter().enumerate().map(|(case, Case { title, .. })| {
        vec![
            (*title).to_owned(),
            number(of(case, |sample| sample.load.rate), 0),
            number(ratio(case, BASE, |sample| sample.load.rate), 3),
            number(of(case, |sample| sample.cpu), 1),
            number(of(case, |sample| sample.load.p50), 0),
            number(of(case, |sample| sample.load.p99), 0),
            number(ratio(case, FULL_SAMPLING, |sample| sample.load.p99), 3),
            number(of(case, |sample| sample.memory), 1),
            number(of(case, |sample| sample.end), 0),
        ]
    });
    markdown(&head, &rows.collect::<Vec<_>>())
}
