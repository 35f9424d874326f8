//! `cargo xtask bench http`: the throughput of each server at saturation.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use serde_json::json;

use super::contest::{CONTESTANTS, Contestant, Files, Guest, Program};
use super::cores::{self, Cores};
use super::load::Generator;
use super::machine::Machine;
use super::record::{self, Record, Sample};
use super::server::Server;
use super::table::number;
use super::{client, prepare, syscalls};
use crate::shell::{self, say};

/// The duration of the load before a measurement, in seconds: pools and caches fill much faster.
const WARM_UP_SECONDS: f64 = 0.5;

/// The options of the measurement.
struct Bench {
    files: Files,
    cores: Option<Cores>,
    connections: u16,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let only = super::only(arguments);
    let other = arguments.get_one::<PathBuf>("beside").map(fs::canonicalize).transpose().context("--beside")?;
    let chosen = |contestant: &&Contestant| {
        only.as_ref().is_none_or(|names| names.iter().any(|n| n == contestant.name))
            && (other.is_some() || contestant.program != Program::OtherTempo)
    };
    let contestants: Vec<&'static Contestant> = CONTESTANTS.iter().filter(chosen).collect();
    let programs: Vec<Program> = contestants.iter().map(|contestant| contestant.program).collect();
    let build = !arguments.get_flag("no-build");
    let mut files = prepare::files(&programs, super::profile(arguments), build)?;
    if build && contestants.iter().any(|contestant| contestant.guest == Some(Guest::Axum)) {
        prepare::guest(Guest::Axum)?;
    }
    files.other_tempo = other.unwrap_or_default();
    let bench = Bench { files, cores: Cores::choose(), connections: super::number(arguments, "connections") };
    bench.check_answers(&contestants)?;

    let rounds = super::number(arguments, "rounds");
    let seconds = f64::from(super::number(arguments, "seconds"));
    let mut records: Vec<Record> = contestants.iter().copied().map(Record::new).collect();
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for record in &mut records {
            let sample = bench.measure(record.contestant, seconds)?;
            let rate = number(Some(sample.load.rate), 0);
            say(&format!("  {rate:>9} requests/s, {:3.0} % of a core  {}", sample.share(), record.contestant.name));
            record.samples.push(sample);
        }
    }
    bench.count_calls(&mut records);
    let machine = Machine::read(&bench.files, bench.cores);
    if arguments.get_flag("json") {
        let servers = record::json(&records);
        let connections = bench.connections;
        println!(
            "{:#}",
            json!({ "machine": machine.json(), "connections": connections, "seconds": seconds, "servers": servers })
        );
    } else {
        println!("{}\n", machine.markdown());
        println!("{} connections; medians of {rounds} interleaved rounds of {seconds} s.\n", bench.connections);
        print!("{}", record::table(&records));
    }
    if bench.cores.is_some() {
        record::warn(&records);
    }
    Ok(())
}

impl Bench {
    fn start(&self, contestant: &Contestant) -> Result<Server> {
        Server::start(cores::pinned(self.files.command(contestant), self.cores.map(|cores| cores.server)))
    }

    fn generator(&self) -> Generator<'_> {
        let core = self.cores.map(|cores| cores.load);
        Generator { program: &self.files.load, core, connections: self.connections, path: "/", body_bytes: 0 }
    }

    /// Checks that all servers send the same response, but those of the axum application, which has another text.
    fn check_answers(&self, contestants: &[&'static Contestant]) -> Result<()> {
        let mut first: Option<(&str, Vec<u8>)> = None;
        for contestant in contestants {
            let server = self.start(contestant)?;
            let (status, body) = client::get(server.addr).with_context(|| contestant.name)?;
            ensure!(status == 200, "{} answers {status}", contestant.name);
            if contestant.guest == Some(Guest::Axum) {
                continue;
            }
            let (name, expected) = first.get_or_insert_with(|| (contestant.name, body.clone()));
            ensure!(body == *expected, "{} and {name} answer different bodies", contestant.name);
        }
        Ok(())
    }

    fn measure(&self, contestant: &Contestant, seconds: f64) -> Result<Sample> {
        let server = self.start(contestant)?;
        let generator = self.generator();
        generator.seconds(server.addr, WARM_UP_SECONDS).with_context(|| contestant.name)?;
        let before = server.usage()?;
        let load = generator.seconds(server.addr, seconds).with_context(|| contestant.name)?;
        let after = server.usage()?;
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / load.requests;
        let switches = after.switches.saturating_sub(before.switches) as f64 / load.requests;
        Ok(Sample { load, cpu, switches })
    }

    /// Counts the system calls, if strace is available.
    fn count_calls(&self, records: &mut [Record]) {
        if !shell::has("strace") {
            say("system calls are not counted: `strace` (Debian package strace) is missing");
            return;
        }
        say("counting system calls");
        for record in records {
            match self.calls(record.contestant) {
                Ok(calls) => record.calls = Some(calls),
                Err(error) => say(&format!("  {}: {error:#}", record.contestant.name)),
            }
        }
    }

    fn calls(&self, contestant: &Contestant) -> Result<f64> {
        let server = self.start(contestant)?;
        self.generator().seconds(server.addr, WARM_UP_SECONDS)?;
        syscalls::count(&server, &self.generator(), &self.files.load.with_extension("strace"))
    }
}
