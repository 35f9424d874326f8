//! `cargo xtask run`: builds and serves a component, from a fresh clone.

use std::path::Path;
use std::process::Command as Process;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};

use crate::shell;
use crate::workspace::{Package, Workspace};
use crate::{build, setup};

/// The runtime with all services, for a guest whose manifest names none.
const RUNTIME: &str = "tempo";

pub(crate) fn command() -> Command {
    Command::new("run")
        .about("Builds a guest and the runtime, and runs one in the other")
        .arg(Arg::new("guest").value_name("GUEST").default_value("hello").help("The guest: a directory of guests/"))
        .arg(
            Arg::new("addr")
                .long("addr")
                .default_value("127.0.0.1:8080")
                .help("Where to listen, for a guest that serves"),
        )
        .arg(Arg::new("args").value_name("TEMPO ARGS").num_args(0..).last(true).help("Arguments for `tempo run`"))
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let name = arguments.get_one::<String>("guest").map_or("hello", String::as_str);
    let guest = find(&workspace, name)?;
    setup::ensure()?;
    build::guests(std::iter::once(guest))?;
    // Most of a first run is the build of the runtime: a guest with few services names a small one.
    let runtime = guest.runtime.as_deref().unwrap_or(RUNTIME);
    let package = workspace.runtimes().find(|package| package.name == runtime);
    let package = package.with_context(|| format!("{}: there is no runtime `{runtime}`", guest.name))?;
    build::runtimes(std::iter::once(package), false)?;

    let mut tempo = shell::program(&workspace.profile_dir(false).join(runtime));
    tempo.arg("run").arg(workspace.guest_dir().join(&guest.wasm));
    if let Some(addr) = arguments.get_one::<String>("addr") {
        tempo.args(["--addr", addr]);
    }
    tempo.args(arguments.get_many::<String>("args").into_iter().flatten());
    replace(&mut tempo)
}

fn find<'a>(workspace: &'a Workspace, name: &str) -> Result<&'a Package> {
    let named = |guest: &&Package| guest.dir_name() == name || guest.name == name;
    match workspace.guests().find(named) {
        Some(guest) => Ok(guest),
        None => {
            let names: Vec<_> = workspace.guests().map(Package::dir_name).collect();
            bail!("there is no guest `{name}`; there are: {}", names.join(", "))
        }
    }
}

/// Replaces this process with the program, so that signals reach it and its exit status is the command's.
#[cfg(unix)]
fn replace(program: &mut Process) -> Result<()> {
    use std::os::unix::process::CommandExt;
    eprintln!("$ {}", shell::line(program));
    let error = program.exec();
    Err(error).with_context(|| format!("cannot start {}", Path::new(program.get_program()).display()))
}

#[cfg(not(unix))]
fn replace(program: &mut Process) -> Result<()> {
    let status =
        program.status().with_context(|| format!("cannot start {}", Path::new(program.get_program()).display()))?;
    std::process::exit(status.code().unwrap_or(1))
}
