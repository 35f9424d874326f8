//! `cargo xtask bench swap`: the latencies of a component that is replaced again and again, compared with one that is not.
//!
//! The load is open-loop, at half of what the server can: a slow response delays no request, so it is seen in the latencies of all
//! that wait. A failed request or a closed connection fails the benchmark.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::app::App;
use super::apps::different;
use super::contest::{Files, Guest, Program};
use super::cores::{self, Cores};
use super::load::{Generator, Load};
use super::machine::Machine;
use super::prepare;
use super::server::Server;
use super::swap_messages;
use super::table::{markdown, median, number};
use crate::shell::say;
use crate::workspace::Workspace;

/// The duration of the load that finds the maximum rate, in seconds.
const SATURATION_SECONDS: f64 = 2.0;
/// The time after the last swap for the memory to be returned: longer than the timeout of the drain.
const DRAIN: Duration = Duration::from_secs(2);
/// The maximum of the ratio of the latencies, for precompiled components and for those that are compiled.
const GOAL: f64 = 2.0;
const COMPILING_GOAL: f64 = 4.0;

pub(super) fn command() -> clap::Command {
    super::with_build_options(clap::Command::new("swap"))
        .about("The latencies of a component while it is replaced")
        .arg(super::count("rounds", "3").help("Rounds; each measures with and without swaps"))
        .arg(super::count("seconds", "10").help("Seconds a measurement"))
        .arg(
            Arg::new("requests")
                .long("requests")
                .value_parser(value_parser!(u32).range(1..))
                .help("About how many requests a measurement, in place of --seconds"),
        )
        .arg(
            Arg::new("messages")
                .long("messages")
                .value_parser(value_parser!(u32).range(1..))
                .help("Swap a component that handles this many messages, in place of requests"),
        )
        .arg(super::count("swaps", "100").help("Swaps in a measurement"))
        .arg(super::count("connections", "64").help("Connections"))
        .arg(
            Arg::new("compile")
                .long("compile")
                .action(ArgAction::SetTrue)
                .help("Swap components that are not precompiled"),
        )
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    if let Some(messages) = arguments.get_one::<u32>("messages") {
        return swap_messages::run(arguments, *messages);
    }
    let workspace = Workspace::load()?;
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), !arguments.get_flag("no-build"))?;
    let app = App::create(&files, workspace.target.join("bench-swap"))?;
    let hello = fs::read(files.guest(Guest::P3))?;
    let compiles = arguments.get_flag("compile");
    let mut versions = Vec::new();
    for index in 0..2 {
        let wasm = app.directory.join(format!("{index}.wasm"));
        fs::write(&wasm, different(&hello, index))?;
        app.compile(&wasm, &index.to_string(), &[])?;
        versions.push(fs::read(if compiles { wasm } else { app.directory.join(format!("{index}.bin")) })?);
    }
    let bench = Bench { app, versions, files: &files, cores: Cores::choose(), arguments };
    let mut measured = Vec::new();
    let rounds = super::number(arguments, "rounds");
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        measured.push(bench.measure()?);
    }
    println!("{}\n", Machine::read(&files, bench.cores).markdown());
    print!("{}", table(&measured, if compiles { COMPILING_GOAL } else { GOAL }));
    Ok(())
}

struct Bench<'a> {
    app: App<'a>,
    /// The files of two versions.
    versions: Vec<Vec<u8>>,
    files: &'a Files,
    cores: Option<Cores>,
    arguments: &'a ArgMatches,
}

/// One round.
struct Measured {
    without: Load,
    with: Load,
    /// Resident memory before the swaps and after them, in bytes.
    memory: (u64, u64),
}

impl Bench<'_> {
    fn measure(&self) -> Result<Measured> {
        self.write(0)?;
        let mut command = self.app.serve();
        command.args(["app.bin", "--drain-timeout", "1s"]);
        let server = Server::start(cores::pinned(command, self.cores.map(|cores| cores.server)))?;
        let generator = Generator {
            program: &self.files.load,
            core: self.cores.map(|cores| cores.load),
            connections: super::number(self.arguments, "connections"),
            path: "/",
            body_bytes: 0,
        };
        let rate = generator.seconds(server.addr, SATURATION_SECONDS)?.rate / 2.0;
        let seconds = match self.arguments.get_one::<u32>("requests") {
            Some(requests) => f64::from(*requests) / rate,
            None => f64::from(super::number(self.arguments, "seconds")),
        };
        let rate = ["--rate".to_owned(), format!("{rate:.0}")];
        let without = generator.seconds_with(server.addr, seconds, &rate)?;
        let before = server.memory()?;
        let with = thread::scope(|scope| {
            let load = scope.spawn(|| generator.seconds_with(server.addr, seconds, &rate));
            let swapped = self.swap(&server, seconds);
            let load = load.join().map_err(|_| anyhow!("the load panicked"))?;
            swapped.and(load.context("a request failed during the swaps"))
        })?;
        thread::sleep(DRAIN);
        Ok(Measured { without, with, memory: (before, server.memory()?) })
    }

    /// Swaps the component at regular intervals.
    fn swap(&self, server: &Server, seconds: f64) -> Result<()> {
        let swaps = u32::from(super::number(self.arguments, "swaps"));
        let (begun, interval) = (Instant::now(), Duration::from_secs_f64(seconds) / swaps.max(1));
        for swap in 0..swaps {
            thread::sleep((interval * swap).saturating_sub(begun.elapsed()));
            self.write(swap as usize + 1)?;
            server.reload()?;
            server.wait_for("reloaded (SIGHUP): app, in ").with_context(|| format!("swap {swap}"))?;
        }
        Ok(())
    }

    /// Replaces the file that is served.
    fn write(&self, version: usize) -> Result<()> {
        self.app.replace("app.bin", self.versions.get(version % 2).context("there are two versions")?)
    }
}

fn table(measured: &[Measured], goal: f64) -> String {
    let latencies = |of: fn(&Measured) -> Load| {
        let millis = |value: fn(&Load) -> f64| number(median(measured.iter().map(|it| value(&of(it)) / 1e3)), 2);
        let count = |value: fn(&Load) -> f64| number(median(measured.iter().map(|it| value(&of(it)))), 0);
        [count(|load| load.requests), count(|load| load.rate), millis(|load| load.p50), millis(|load| load.p99)]
    };
    let ratio = median(measured.iter().map(|it| it.with.p99 / it.without.p99));
    let reached = ratio.map_or("-", |ratio| if ratio <= goal { "yes" } else { "no" });
    let memory = |of: fn(&(u64, u64)) -> u64| number(median(measured.iter().map(|it| of(&it.memory) as f64 / 1e6)), 1);
    let row = |title: &str, [requests, rate, p50, p99]: [String; 4], memory, ratio: String, reached: &str| {
        vec![title.to_owned(), requests, rate, p50, p99, memory, ratio, reached.to_owned()]
    };
    let rows = [
        row("without swaps", latencies(|it| it.without), memory(|memory| memory.0), "1".to_owned(), "-"),
        row("with swaps", latencies(|it| it.with), memory(|memory| memory.1), number(ratio, 2), reached),
    ];
    let goal = format!("at most {goal}");
    markdown(&["", "requests", "requests/s", "p50 ms", "p99 ms", "RSS MB", "p99 of without", &goal], &rows)
}
