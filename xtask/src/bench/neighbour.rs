//! `cargo xtask bench neighbour`: the latencies of a component alone, and beside a hostile component of the same app.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use clap::ArgMatches;

use super::app::{App, component};
use super::contest::{Files, Guest, Program};
use super::cores::{self, Cores};
use super::load::{Generator, Load};
use super::machine::Machine;
use super::prepare;
use super::server::Server;
use super::table::{markdown, median, number};
use crate::build;
use crate::shell::say;
use crate::workspace::Workspace;

/// The permits that only the neighbour takes.
const RESERVED: u16 = 64;
/// The connections of the neighbour: enough that none of its requests waits for one.
const CONNECTIONS: u16 = 32;
/// The duration of the load before a measurement, in seconds: the attack has taken its permits by then.
const WARM_UP_SECONDS: f64 = 1.0;
/// The maximum of the ratio of the neighbour's latencies.
const GOAL: f64 = 2.0;

/// The behaviors of the hostile component: a title, and the path.
const ATTACKS: &[(&str, Option<&str>)] = &[
    ("alone", None),
    ("beside a flood", Some("/")),
    ("beside endless loops", Some("/spin")),
    ("beside traps", Some("/panic")),
    ("beside allocations", Some("/hog")),
    ("beside requests that hang", Some("/never")),
];

pub(super) fn command() -> clap::Command {
    super::with_build_options(clap::Command::new("neighbour"))
        .about("The latencies of a component beside a hostile one")
        .arg(super::count("rounds", "5").help("Rounds; each measures every attack once"))
        .arg(super::count("seconds", "4").help("Seconds a measurement"))
        .arg(super::count("rate", "1000").help("Requests a second to the neighbour"))
        .arg(super::count("connections", "64").help("Connections of the attack, each with one request in flight"))
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let build = !arguments.get_flag("no-build");
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), build)?;
    if build {
        build::guests(workspace.guests().filter(|package| package.name == "test-hostile"))?;
    }
    let app = App::create(&files, workspace.target.join("bench-neighbour"))?;
    app.compile(files.guest(Guest::P3), "hello", &[])?;
    app.compile(&workspace.guest_dir().join("test_hostile.wasm"), "hostile", &[])?;
    let neighbour = format!("route = \"/neighbour\"\nreserved-requests = {RESERVED}");
    let components = [component("neighbour", "hello", &neighbour), component("hostile", "hostile", "route = \"/*\"")];
    app.declare(&format!("name = \"neighbour\"\n{}", components.concat()))?;
    let bench = Bench { app, files: &files, cores: Cores::choose(), arguments };
    let mut loads: Vec<Vec<Load>> = ATTACKS.iter().map(|_| Vec::new()).collect();
    let rounds = super::number(arguments, "rounds");
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for ((title, attack), loads) in ATTACKS.iter().zip(&mut loads) {
            loads.push(bench.measure(*attack).with_context(|| (*title).to_owned())?);
        }
    }
    println!("{}\n", Machine::read(&files, bench.cores).markdown());
    print!("{}", table(&loads));
    Ok(())
}

struct Bench<'a> {
    app: App<'a>,
    files: &'a Files,
    cores: Option<Cores>,
    arguments: &'a ArgMatches,
}

impl Bench<'_> {
    fn measure(&self, attack: Option<&str>) -> Result<Load> {
        let mut command = self.app.serve();
        command.arg("tempo.toml");
        let server = Server::start(cores::pinned(command, self.cores.map(|cores| cores.server)))?;
        let generator = |path, connections| Generator {
            program: &self.files.load,
            core: self.cores.map(|cores| cores.load),
            connections,
            path,
            body_bytes: 0,
        };
        let attack = attack.map(|path| generator(path, super::number(self.arguments, "connections")));
        let _attack = attack.map(|generator| Attack::start(&generator.command(server.addr))).transpose()?;
        let neighbour = generator("/neighbour", CONNECTIONS);
        let rate = ["--rate".to_owned(), super::number(self.arguments, "rate").to_string()];
        neighbour.seconds_with(server.addr, WARM_UP_SECONDS, &rate)?;
        neighbour.seconds_with(server.addr, f64::from(super::number(self.arguments, "seconds")), &rate)
    }
}

/// A load generator that runs until it is dropped.
struct Attack(Child);

impl Attack {
    /// Starts the generator `command`, which shares its core with the one that measures: under `SCHED_IDLE`, as even at the
    /// lowest priority it would keep the core for a time slice. The one that measures sleeps between its requests.
    fn start(command: &Command) -> Result<Self> {
        let mut idle = Command::new("chrt");
        idle.args(["--idle", "0"]).arg(command.get_program()).args(command.get_args());
        idle.args(["--duration", "3600"]).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(idle.spawn().context("cannot start `chrt`")?))
    }
}

impl Drop for Attack {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn table(loads: &[Vec<Load>]) -> String {
    let alone = loads.first().map_or(&[][..], Vec::as_slice);
    let row = |((title, _), loads): (&(&str, _), &Vec<Load>)| {
        let millis = |of: fn(&Load) -> f64| number(median(loads.iter().map(of)).map(|micros| micros / 1e3), 2);
        let ratio = median(loads.iter().zip(alone).map(|(beside, alone)| beside.p99 / alone.p99));
        let reached = ratio.map_or("-", |ratio| if ratio <= GOAL { "yes" } else { "no" });
        let rate = number(median(loads.iter().map(|load| load.rate)), 0);
        let mut row = vec![(*title).to_owned(), rate];
        row.extend([millis(|load| load.p50), millis(|load| load.p90), millis(|load| load.p99)]);
        row.extend([number(ratio, 2), reached.to_owned()]);
        row
    };
    let rows: Vec<_> = ATTACKS.iter().zip(loads).map(row).collect();
    markdown(&["the neighbour", "requests/s", "p50 ms", "p90 ms", "p99 ms", "of alone", "at most 2"], &rows)
}
