//! `cargo xtask bench start`: the time from starting the process to the response to the first request.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use serde_json::{Value, json};

use super::contest::{Files, Guest, Program};
use super::machine::Machine;
use super::server::Server;
use super::table::{markdown, median, number};
use super::{client, prepare};
use crate::shell::{self, say};

/// The values of `--only`, in the order of the table.
pub(crate) const NAMES: &[&str] =
    &["hyper", "tempo", "tempo-cached", "tempo-compiled", "wasmtime", "wasmtime-cached", "wasmtime-compiled"];

/// A way to start a server.
struct StartMode {
    name: &'static str,
    title: &'static str,
    program: Program,
    file: Option<PathBuf>,
    flags: &'static [&'static str],
    /// The times in milliseconds, one per round.
    times: Vec<f64>,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let only = super::only(arguments);
    let chosen = |name: &str| only.as_ref().is_none_or(|names| names.iter().any(|n| n == name));
    let mut programs = vec![];
    for (prefix, program) in [("tempo", Program::Tempo), ("wasmtime", Program::Wasmtime)] {
        if NAMES.iter().any(|name| name.starts_with(prefix) && chosen(name)) {
            programs.push(program);
        }
    }
    let files = prepare::files(&programs, super::profile(arguments), !arguments.get_flag("no-build"))?;
    let mut ways: Vec<StartMode> = ways(&files).into_iter().filter(|way| chosen(way.name)).collect();
    for way in &ways {
        compile(&files, way)?;
    }
    let rounds = super::number(arguments, "rounds");
    // The first start of each is not counted: it reads the program from the disk.
    for round in 0..=rounds {
        for way in &mut ways {
            let time = start(&files, way).with_context(|| way.name)?;
            if round > 0 {
                way.times.push(time);
            }
        }
    }
    say(&format!("{rounds} rounds done"));
    report(&ways, &Machine::read(&files, None), arguments.get_flag("json"));
    Ok(())
}

fn ways(files: &Files) -> Vec<StartMode> {
    let source = Some(files.guest(Guest::P3).clone());
    let compiled = |extension: &str| Some(files.guest(Guest::P3).with_extension(extension));
    let way = |name, title, program, file, flags| StartMode { name, title, program, file, flags, times: Vec::new() };
    vec![
        way("hyper", "hyper, native", Program::Hyper, None, &[]),
        way("tempo", "`tempo run`, .wasm, no cache", Program::Tempo, source.clone(), &["--compile-cache", "false"]),
        way("tempo-cached", "`tempo run`, .wasm, cached", Program::Tempo, source.clone(), &[]),
        way("tempo-compiled", "`tempo run`, precompiled", Program::Tempo, compiled("tempo"), &[]),
        way("wasmtime", "`wasmtime serve`, .wasm, no cache", Program::Wasmtime, source.clone(), &["-Ccache=n"]),
        way("wasmtime-cached", "`wasmtime serve`, .wasm, cached", Program::Wasmtime, source, &[]),
        way(
            "wasmtime-compiled",
            "`wasmtime serve`, precompiled",
            Program::Wasmtime,
            compiled("cwasm"),
            &["--allow-precompiled"],
        ),
    ]
}

/// Compiles the file of a way that starts from a precompiled one.
fn compile(files: &Files, way: &StartMode) -> Result<()> {
    let source = files.guest(Guest::P3);
    let Some(file) = way.file.as_ref().filter(|file| *file != source) else { return Ok(()) };
    let program = if way.program == Program::Tempo { &files.tempo } else { &files.wasmtime };
    shell::run(Command::new(program).arg("compile").arg(source).arg("--output").arg(file))
}

/// Returns the milliseconds from starting the process to the first line of its first response.
fn start(files: &Files, way: &StartMode) -> Result<f64> {
    let mut command = files.program(way.program);
    command.args(way.flags).args(&way.file);
    let started = Instant::now();
    let server = Server::start(command)?;
    let status = client::status(server.addr)?;
    let time = started.elapsed();
    ensure!(status == 200, "answers {status}");
    Ok(time.as_secs_f64() * 1e3)
}

fn report(ways: &[StartMode], machine: &Machine, as_json: bool) {
    let middle = |way: &StartMode| median(way.times.iter().copied());
    let least = |way: &StartMode| way.times.iter().copied().reduce(f64::min);
    if as_json {
        let servers: Vec<Value> = ways
            .iter()
            .map(|way| json!({ "name": way.name, "median_ms": middle(way), "times_ms": way.times }))
            .collect();
        println!("{:#}", json!({ "machine": machine.json(), "servers": servers }));
        return;
    }
    let rows: Vec<_> =
        ways.iter().map(|way| vec![way.title.to_owned(), number(middle(way), 1), number(least(way), 1)]).collect();
    println!("{}\n", machine.markdown());
    print!("{}", markdown(&["from start to first 200, 0.3 guest", "median ms", "least ms"], &rows));
}
