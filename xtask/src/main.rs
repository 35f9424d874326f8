//! `cargo xtask COMMAND`: the developer commands, in Rust, so that a fresh clone needs no other tool.
//!
//! One file per command. `shell` runs other programs and prints their command lines; `workspace` locates packages.

use std::process::ExitCode;

use anyhow::Result;
use clap::{ArgMatches, Command};

mod bench;
mod build;
mod check;
mod dist;
mod interop;
mod names;
mod package;
mod run;
mod setup;
mod shell;
mod test;
mod workspace;

/// A command: its declaration, and its function.
type Entry = (fn() -> Command, fn(&ArgMatches) -> Result<()>);

const COMMANDS: &[Entry] = &[
    (setup::command, setup::run),
    (build::command, build::run),
    (run::command, run::run),
    (test::command, test::run),
    (interop::command, interop::run),
    (check::command, check::run),
    (bench::command, bench::run),
    (package::command, package::run),
    (dist::command, dist::run),
];

fn main() -> ExitCode {
    let mut cli = Command::new("xtask")
        .bin_name("cargo xtask")
        .about("Builds, runs, tests and checks Tempo")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true);
    for (command, _) in COMMANDS {
        cli = cli.subcommand(command());
    }
    let matches = cli.get_matches();
    let Some((name, arguments)) = matches.subcommand() else { return ExitCode::FAILURE };
    let result = COMMANDS
        .iter()
        .find(|(command, _)| command().get_name() == name)
        .map_or_else(|| Ok(()), |(_, run)| run(arguments));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
