//! `cargo xtask bench count`: the instructions, allocations and system calls of a request in user space.
//!
//! Wall clock time varies by a tenth between two runs of one binary; these counts vary by a thousandth. They show the
//! cost of a change, while only `bench http` shows the speed of a server.

mod recorded;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command as Cli, value_parser};

use self::recorded::Recorded;
use super::callgrind::{Callgrind, valgrind};
use super::cases::{CASES, Case};
use super::contest::{Files, Program};
use super::cost::{ANY_PROCESSOR, Cost, FLAGS};
use super::load::Generator;
use super::machine::{Machine, commit};
use super::table::{markdown, number};
use super::{client, prepare};
use crate::shell::{self, say};
use crate::workspace::Workspace;
use crate::{build, setup};

/// The number of connections: with several, the shared work depends on the load of the machine.
const CONNECTIONS: u16 = 1;
/// `--target` for guests that are compiled for this CPU, as valgrind emulates it.
const HOST: &str = "host";

pub(crate) fn command() -> Cli {
    super::with_build_options(Cli::new("count"))
        .about("Instructions, allocations and system calls a request in user space, by valgrind's callgrind")
        .mut_arg("profile", |profile| profile.default_value("release"))
        .arg(super::count("rounds", "5").help("Rounds, of which the medians count"))
        .arg(
            super::chosen()
                .value_parser(CASES.iter().map(|case| case.name).collect::<Vec<_>>())
                .help("Only these rows"),
        )
        .arg(
            Arg::new("tempo")
                .long("tempo")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Count with this tempo instead of building one"),
        )
        .arg(
            Arg::new("check")
                .long("check")
                .action(ArgAction::SetTrue)
                .help("Fail if a request costs more than `xtask/counts.toml` records"),
        )
        .arg(
            Arg::new("update")
                .long("update")
                .action(ArgAction::SetTrue)
                .conflicts_with("check")
                .help("Record the instructions in `xtask/counts.toml`"),
        )
        .arg(
            Arg::new("target")
                .long("target")
                .value_name("TARGET")
                .default_value(ANY_PROCESSOR)
                .help("What guests are compiled for: any processor of a target, or `host` for this one's features"),
        )
}

/// The common settings of the cases.
struct Bench {
    valgrind: PathBuf,
    files: Files,
    target: String,
    directory: PathBuf,
    rounds: u16,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let given = arguments.get_one::<PathBuf>("tempo").map(fs::canonicalize).transpose().context("--tempo")?;
    let only = super::only(arguments);
    let chosen = |case: &&Case| only.as_ref().is_none_or(|names| names.iter().any(|name| name == case.name));
    let cases: Vec<&Case> = CASES.iter().filter(chosen).collect();
    let bench = Bench {
        valgrind: setup::valgrind()?,
        files: files(&workspace, &cases, given.as_deref(), arguments)?,
        target: arguments.get_one::<String>("target").cloned().unwrap_or_default(),
        directory: workspace.target.join("bench-count"),
        rounds: super::number(arguments, "rounds"),
    };
    let mut rows = Vec::new();
    let (mut instructions, mut spread) = (BTreeMap::new(), BTreeMap::new());
    for case in cases {
        say(case.title);
        let cost = bench.cost(&workspace, case).with_context(|| case.title)?;
        let row = row(case, &cost);
        say(&format!("  {} instructions", row.get(1).map_or("no", String::as_str)));
        rows.push(row);
        instructions.insert(case.name.to_owned(), cost.instructions.round() as u64);
        spread.insert(case.name.to_owned(), cost.spread.max(case.variation));
    }
    let _ = fs::remove_dir_all(&bench.directory);
    let machine = Machine::read(&bench.files, None);
    println!("{}", machine.markdown());
    let binary = given.map_or_else(|| format!("commit {}", commit()), |path| path.display().to_string());
    println!("Tempo: {binary}; guests compiled for {}; {}.\n", bench.target, version(&bench.valgrind));
    let head = ["a request, in user space", "instructions", "±", "allocations", "system calls"];
    print!("{}", markdown(&head, &rows));
    let counted = Recorded::new(&machine, instructions);
    if arguments.get_flag("update") {
        return counted.update();
    }
    if arguments.get_flag("check") { Recorded::read()?.check(&counted, &spread) } else { Ok(()) }
}

fn files(workspace: &Workspace, cases: &[&Case], given: Option<&Path>, arguments: &ArgMatches) -> Result<Files> {
    let build = !arguments.get_flag("no-build");
    let programs = if given.is_some() { vec![Program::Hyper] } else { vec![Program::Hyper, Program::Tempo] };
    let mut files = prepare::files(&programs, super::profile(arguments), build)?;
    if let Some(given) = given {
        given.clone_into(&mut files.tempo);
    }
    if build {
        setup::ensure()?;
        let wanted = |name: &str| cases.iter().flat_map(|case| case.guests()).any(|guest| guest == name);
        build::guests(workspace.guests().filter(|package| wanted(package.dir_name())))?;
    }
    Ok(files)
}

fn row(case: &Case, cost: &Cost) -> Vec<String> {
    vec![
        case.title.to_owned(),
        number(Some(cost.instructions), 0),
        format!("{:.2} %", cost.spread * 100.0),
        number(Some(cost.allocations), 1),
        number(Some(cost.system_calls), 2),
    ]
}

fn version(valgrind: &Path) -> String {
    shell::read(Command::new(valgrind).arg("--version"))
        .map_or_else(|_| "valgrind".to_owned(), |text| text.trim().into())
}

impl Bench {
    fn cost(&self, workspace: &Workspace, case: &Case) -> Result<Cost> {
        let _ = fs::remove_dir_all(&self.directory);
        fs::create_dir_all(&self.directory)?;
        let mut server = Callgrind::start(&self.valgrind, &self.server(workspace, case)?, &self.directory)?;
        let addr = server.server().addr;
        if let Some(path) = case.prepared_by {
            let (status, _) = client::ask(addr, "POST", path)?;
            ensure!(status == 200, "POST {path} is answered {status}");
        }
        let generator = Generator {
            program: &self.files.load,
            core: None,
            connections: CONNECTIONS,
            path: case.path,
            body_bytes: case.body_bytes,
        };
        server.instrument()?;
        Cost::count(&mut server, &generator, self.rounds)
    }

    /// Returns the command of the server, with its guests compiled.
    fn server(&self, workspace: &Workspace, case: &Case) -> Result<Command> {
        let Some(guest) = case.guest else { return Ok(self.files.program(Program::Hyper)) };
        for guest in case.guests() {
            self.compile(workspace, guest, case.flags)?;
        }
        let mut command = self.files.program(Program::Tempo);
        command.args(FLAGS).args(case.flags).current_dir(&self.directory);
        command.env("XDG_DATA_HOME", &self.directory);
        if let Some(manifest) = case.manifest() {
            fs::write(self.directory.join("tempo.toml"), manifest)?;
            command.arg("tempo.toml");
        } else {
            command.arg(format!("{guest}.bin"));
        }
        Ok(command)
    }

    /// Compiles the guest of this directory to `GUEST.bin`, for a server with `flags`.
    fn compile(&self, workspace: &Workspace, guest: &str, flags: &[&str]) -> Result<()> {
        let package = workspace.guests().find(|package| package.dir_name() == guest);
        let package = package.with_context(|| format!("there is no guest {guest}"))?;
        let mut command = Command::new(&self.files.tempo);
        command.arg("compile").arg(workspace.guest_dir().join(&package.wasm)).args(FLAGS).args(flags);
        command.arg("--output").arg(format!("{guest}.bin"));
        command.current_dir(&self.directory).env("XDG_DATA_HOME", &self.directory);
        if self.target == HOST {
            // The emulated CPU has fewer features than the real one.
            command = valgrind(&self.valgrind, &["--tool=none"], &command);
        } else {
            command.args(["--target", &self.target]);
        }
        shell::run(&mut command)
    }
}
