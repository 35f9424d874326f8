//! `cargo xtask bench apps`: the start of an app of many components, and its throughput, compared with one component.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;

use super::app::{App, component};
use super::contest::{Files, Guest, Program};
use super::cores::{self, Cores};
use super::load::Generator;
use super::machine::Machine;
use super::server::Server;
use super::table::{markdown, median, number};
use super::{client, prepare};
use crate::shell::say;
use crate::workspace::Workspace;

/// The components of the app whose start is measured.
const STARTED: usize = 20;
/// The goal for one component more, in milliseconds.
const START_GOAL: f64 = 1.0;
/// The components and the connections of the app whose throughput is measured.
const SERVED: usize = 64;
const CONNECTIONS: u16 = 256;
/// The goal for the requests a second of many components, as a share of those of one.
const RATE_GOAL: f64 = 0.8;
/// The duration of the load before a measurement, in seconds: every component has idle instances by then.
const WARM_UP_SECONDS: f64 = 1.0;

pub(super) fn command() -> clap::Command {
    super::with_build_options(clap::Command::new("apps"))
        .about("The start and the throughput of an app of many components")
        .arg(super::count("rounds", "5").help("Rounds; each measures both apps"))
        .arg(super::count("starts", "10").help("Starts of each app in a round"))
        .arg(super::count("seconds", "4").help("Seconds a measurement of the throughput"))
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), !arguments.get_flag("no-build"))?;
    let bench = Bench::new(&files, workspace.target.join("bench-apps"));
    let apps = [1, STARTED, SERVED].map(|components| bench.app(components));
    let [one, started, served] = apps;
    let (one, started, served) = (one?, started?, served?);
    let (mut starts, mut rates) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    let rounds = super::number(arguments, "rounds");
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for _ in 0..super::number(arguments, "starts") {
            for (app, times) in [&one, &started].into_iter().zip(&mut starts) {
                times.push(bench.start(app)?);
            }
        }
        let seconds = f64::from(super::number(arguments, "seconds"));
        for ((app, components), rates) in [(&one, 1), (&served, SERVED)].into_iter().zip(&mut rates) {
            rates.push(bench.rate(app, components, CONNECTIONS, seconds)?);
        }
    }
    println!("{}\n", Machine::read(&files, bench.cores).markdown());
    println!("{}", report(&starts, &rates));
    drop((one, started, served));
    let _ = fs::remove_dir(&bench.directory);
    Ok(())
}

/// Measures apps of many components.
pub(super) struct Bench<'a> {
    files: &'a Files,
    directory: PathBuf,
    pub(super) cores: Option<Cores>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(files: &'a Files, directory: PathBuf) -> Self {
        Self { files, directory, cores: Cores::choose() }
    }

    /// Creates an app of this many different components.
    pub(super) fn app(&self, components: usize) -> Result<App<'a>> {
        say(&format!("compiling {components} components"));
        let app = App::create(self.files, self.directory.join(components.to_string()))?;
        let hello = fs::read(self.files.guest(Guest::P3))?;
        let mut manifest = "name = \"apps\"\n".to_owned();
        for index in 0..components {
            let wasm = app.directory.join(format!("c{index}.wasm"));
            let name = format!("c{index}");
            fs::write(&wasm, different(&hello, index))?;
            app.compile(&wasm, &name, &[])?;
            manifest += &component(&name, &name, &format!("route = \"/{name}\""));
        }
        app.declare(&manifest)?;
        Ok(app)
    }

    fn server(&self, app: &App<'_>) -> Result<Server> {
        let mut command = app.serve();
        // More than the generator's: it closes those of a warm-up only when it begins the next measurement.
        command.args(["tempo.toml", "--max-connections", "4000"]);
        Server::start(cores::pinned(command, self.cores.map(|cores| cores.server)))
    }

    /// Returns the milliseconds from starting the process to its first response.
    fn start(&self, app: &App<'_>) -> Result<f64> {
        let started = Instant::now();
        let server = self.server(app)?;
        let (status, _) = client::ask(server.addr, "GET", "/c0")?;
        let time = started.elapsed();
        ensure!(status == 200, "answers {status}");
        Ok(time.as_secs_f64() * 1e3)
    }

    /// Returns the requests a second at saturation, of this many connections in all.
    pub(super) fn rate(&self, app: &App<'_>, components: usize, connections: u16, seconds: f64) -> Result<f64> {
        let server = self.server(app)?;
        let generator = Generator {
            program: &self.files.load,
            core: self.cores.map(|cores| cores.load),
            connections,
            path: "/c0",
            body_bytes: 0,
        };
        let others: Vec<String> =
            (1..components).flat_map(|index| ["--path".to_owned(), format!("/c{index}")]).collect();
        generator.seconds_with(server.addr, WARM_UP_SECONDS, &others)?;
        Ok(generator.seconds_with(server.addr, seconds, &others).context("the app fails")?.rate)
    }
}

/// Returns the component with a custom section more (id, size, name, content), which makes it another component.
pub(super) fn different(wasm: &[u8], index: usize) -> Vec<u8> {
    let content = [&[5][..], b"index", &[u8::try_from(index).unwrap_or(u8::MAX)]].concat();
    let size = u8::try_from(content.len()).unwrap_or_default();
    [wasm, &[0, size], &content].concat()
}

fn report([one, many]: &[Vec<f64>; 2], [single, spread]: &[Vec<f64>; 2]) -> String {
    let middle = |values: &[f64]| median(values.iter().copied());
    let more = one.iter().zip(many).map(|(one, many)| (many - one) / (STARTED - 1) as f64);
    let share = spread.iter().zip(single).map(|(spread, single)| spread / single);
    let (more, share) = (median(more), median(share));
    let reached = |reached: Option<bool>| reached.map_or("-", |reached| if reached { "yes" } else { "no" }).to_owned();
    let rows = [
        vec![
            format!("start of {STARTED} components, ms"),
            number(middle(one), 1),
            number(middle(many), 1),
            format!("{} ms each", number(more, 2)),
            reached(more.map(|more| more <= START_GOAL)),
        ],
        vec![
            format!("requests/s of {SERVED} components"),
            number(middle(single), 0),
            number(middle(spread), 0),
            number(share, 2),
            reached(share.map(|share| share >= RATE_GOAL)),
        ],
    ];
    markdown(&["", "of one", "of many", "is", "reached"], &rows)
}
