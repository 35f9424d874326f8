//! `cargo xtask bench links`: calls between the components of an app, compared with calls inside one component and over TCP.

mod cases;
mod report;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command};

use self::cases::{CASES, Case, Linked};
use self::report::Record;
use super::app::{App, component};
use super::callgrind::Callgrind;
use super::contest::{Files, Guest, Program};
use super::cores::{self, Cores};
use super::cost::{Cost, FLAGS};
use super::load::Generator;
use super::machine::Machine;
use super::server::Server;
use super::{client, prepare};
use crate::shell::{self, say};
use crate::workspace::Workspace;
use crate::{build, setup};

/// The duration of the load before the first measurement of a case, in seconds.
const WARM_UP_SECONDS: f64 = 0.5;
/// The guests in addition to hello.
const GUESTS: &[&str] = &["test-links-bench", "pricing", "test-middleware-pass"];

pub(super) fn command() -> Command {
    let no_count = Arg::new("no-count").long("no-count").action(ArgAction::SetTrue);
    super::with_build_options(Command::new("links"))
        .about("The cost of calls between the components of an app")
        .arg(super::count("rounds", "5").help("Rounds; each measures every case once"))
        .arg(super::count("seconds", "2").help("Seconds a measurement"))
        .arg(super::count("connections", "16").help("Connections, each with one request in flight"))
        .arg(no_count.help("Do not count instructions, which needs valgrind and takes minutes"))
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let build = !arguments.get_flag("no-build");
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), build)?;
    if build {
        build::guests(workspace.guests().filter(|package| GUESTS.contains(&package.name.as_str())))?;
    }
    let bench = Bench {
        app: App::create(&files, workspace.target.join("bench-links"))?,
        files: &files,
        guests: workspace.guest_dir(),
        cores: Cores::choose(),
    };
    bench.compile(&[])?;
    let composed = bench.compose(&[]);
    if let Err(error) = &composed {
        say(&format!("composed calls are not measured: {error:#}"));
    }
    let cases: Vec<&Case> = CASES.iter().filter(|case| composed.is_ok() || case.program == Linked::Isolated).collect();
    let mut records: Vec<Record> = CASES.iter().map(|_| Record::default()).collect();
    bench.measure(&cases, &mut records, arguments)?;
    if !arguments.get_flag("no-count") {
        bench.count(&cases, &mut records)?;
    }
    println!("{}\n", Machine::read(&files, bench.cores).markdown());
    println!("{}", report::table(&records));
    Ok(())
}

struct Bench<'a> {
    app: App<'a>,
    files: &'a Files,
    guests: PathBuf,
    cores: Option<Cores>,
}

/// The servers of both ways to link. Without a composed component there is no second one.
struct Servers<S> {
    isolated: S,
    composed: Option<S>,
}

impl<S> Servers<S> {
    fn of(&mut self, case: &Case) -> Result<&mut S> {
        match case.program {
            Linked::Isolated => Ok(&mut self.isolated),
            Linked::Composed => self.composed.as_mut().context("the composed component is missing"),
        }
    }
}

impl Bench<'_> {
    /// Compiles the components with `flags`, and writes the manifest of the app that the host links.
    fn compile(&self, flags: &[&str]) -> Result<()> {
        let wasm = |name: &str| self.guests.join(format!("{name}.wasm"));
        for (file, name) in [("test_links_bench", "caller"), ("pricing", "pricing"), ("test_middleware_pass", "pass")] {
            self.app.compile(&wasm(file), name, flags)?;
        }
        self.app.compile(self.files.guest(Guest::P3), "hello", flags)?;
        let caller = "route = \"/*\"\nimports = { \"acme:pricing/quote\" = \"pricing\" }\n\
                      allow-http = [\"*\", \"http://callee.tempo.internal\"]\nallow-http-address = \"127.0.0.0/8\"";
        let components = [
            component("caller", "caller", caller),
            component("pricing", "pricing", ""),
            component("callee", "hello", "route = \"/callee\""),
            component("passed", "hello", "route = \"/passed\"\nmiddleware = [\"pass\"]"),
            component("pass", "pass", ""),
        ];
        self.app.declare(&format!("name = \"links\"\n{}", components.concat()))
    }

    /// Composes the caller and the callee, and compiles the result with `flags`.
    fn compose(&self, flags: &[&str]) -> Result<()> {
        let source = |name: &str| self.guests.join(format!("{name}.wasm")).display().to_string();
        let manifest = format!(
            "name = \"composed\"\n[component.caller]\nsource = \"{}\"\nroute = \"/*\"\nimports = {{ \"acme:pricing/quote\" = {{ \
             component = \"pricing\", link = \"composed\" }} }}\n[component.pricing]\nsource = \"{}\"\n",
            source("test_links_bench"),
            source("pricing")
        );
        fs::write(self.app.directory.join("composed.toml"), manifest)?;
        shell::read(self.app.command("compose").args(["composed.toml", "--output", "composed.wasm"]))?;
        self.app.compile("composed.wasm".as_ref(), "composed", flags)
    }

    /// Returns the commands of the servers, of the composed component if a case needs it.
    fn servers<S>(
        &self,
        cases: &[&Case],
        flags: &[&str],
        start: impl Fn(std::process::Command, &str) -> Result<S>,
    ) -> Result<Servers<S>> {
        let mut isolated = self.app.serve();
        isolated.arg("tempo.toml").args(flags);
        let composed = cases.iter().any(|case| case.program == Linked::Composed).then(|| {
            let mut command = self.app.serve();
            command.arg("composed.bin").args(flags);
            command
        });
        let composed = composed.map(|command| start(command, "composed")).transpose()?;
        Ok(Servers { isolated: start(isolated, "isolated")?, composed })
    }

    /// Measures the CPU time of the cases in turn, round after round.
    fn measure(&self, cases: &[&Case], records: &mut [Record], arguments: &ArgMatches) -> Result<()> {
        let server_core = self.cores.map(|cores| cores.server);
        let mut servers = self.servers(cases, &[], |command, _| Server::start(cores::pinned(command, server_core)))?;
        let rounds = super::number(arguments, "rounds");
        let seconds = f64::from(super::number(arguments, "seconds"));
        for round in 0..=rounds {
            say(&if round == 0 { "warming up".to_owned() } else { format!("round {round} of {rounds}") });
            for case in cases {
                let server = servers.of(case)?;
                let path = case.path.replace("ADDR", &server.addr.to_string());
                let generator = Generator {
                    program: &self.files.load,
                    core: self.cores.map(|cores| cores.load),
                    connections: super::number(arguments, "connections"),
                    path: &path,
                    body_bytes: 0,
                };
                if round == 0 {
                    check(server, &path).context(case.title)?;
                    generator.seconds(server.addr, WARM_UP_SECONDS).context(case.title)?;
                    continue;
                }
                let before = server.usage()?;
                let load = generator.seconds(server.addr, seconds).context(case.title)?;
                let cpu = server.usage()?.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / load.requests;
                if let Some(record) = cases::index(case.name).and_then(|index| records.get_mut(index)) {
                    record.cpu.push(cpu);
                }
            }
        }
        Ok(())
    }

    /// Counts the instructions of each case once.
    fn count(&self, cases: &[&Case], records: &mut [Record]) -> Result<()> {
        let valgrind = setup::valgrind()?;
        let start = |command, name: &str| {
            let profiles = self.app.directory.join(name);
            fs::create_dir_all(&profiles)?;
            Callgrind::start(&valgrind, &command, &profiles)
        };
        // The pool of a chain does not fit into valgrind's address space.
        let flags = [FLAGS, &["--allocation", "on-demand"]].concat();
        self.compile(&flags)?;
        if cases.iter().any(|case| case.program == Linked::Composed) {
            self.compose(&flags)?;
        }
        let mut servers = self.servers(cases, &flags, start)?;
        for case in cases {
            say(&format!("counting: {}", case.title));
            let server = servers.of(case)?;
            server.instrument()?;
            let path = case.path.replace("ADDR", &server.server().addr.to_string());
            let generator =
                Generator { program: &self.files.load, core: None, connections: 1, path: &path, body_bytes: 0 };
            let cost = Cost::count(server, &generator, 1).context(case.title)?;
            if let Some(record) = cases::index(case.name).and_then(|index| records.get_mut(index)) {
                record.instructions = Some(cost.instructions);
            }
        }
        Ok(())
    }
}

/// Checks that a request succeeds: a server that fails is fast.
fn check(server: &Server, path: &str) -> Result<()> {
    let (status, body) = client::ask(server.addr, "GET", path)?;
    ensure!(status == 200, "GET {path} is answered {status}: {}", String::from_utf8_lossy(&body).trim());
    Ok(())
}
