//! `cargo xtask setup`: installs the target wasm32-wasip2, which builds need beyond rustup's stable Rust, and the
//! programs of the tests: a nats-server, an S3 server, Chromium and promtool.
//!
//! `run`, `build` and `test` call [`ensure`], and `test` calls the functions after it. Each takes a few milliseconds if
//! nothing is missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgMatches, Command};

use crate::names::TARGET;
use crate::shell::{self, say};
use crate::workspace::Workspace;

mod apt;
mod debian;
mod deny;
mod linker;
mod mirror;
mod nats;
mod programs;
mod rustup;
mod s3;
mod toolchain;

use toolchain::Toolchain;

pub(crate) fn command() -> Command {
    let from = Arg::new("from")
        .long("from")
        .value_name("SOURCE")
        .value_parser(["rustup", "debian"])
        .help("Take the target from this source only; by default rustup, then Debian's packages");
    Command::new("setup")
        .about("Installs the wasm32-wasip2 target and what the tests start where they are missing")
        .arg(from)
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let toolchain = Toolchain::find()?;
    if toolchain.is_complete() {
        say(&format!("{TARGET} is installed for rustc {}", toolchain.version));
    } else {
        install(&toolchain, arguments.get_one::<String>("from").map(String::as_str))?;
    }
    say(&format!("nats-server is {}", nats_server()?.display()));
    say(&format!("the S3 server of the tests is {}", s3_server()?.display()));
    say(&format!("chromium is {}", chromium()?.display()));
    say(&format!("promtool is {}", promtool()?.display()));
    Ok(())
}

/// Installs the target and the linker if they are missing; silent otherwise.
pub(crate) fn ensure() -> Result<()> {
    let toolchain = Toolchain::find()?;
    if toolchain.is_complete() { Ok(()) } else { install(&toolchain, None) }
}

/// Returns the nats-server for the tests. Installs one below the target directory if there is none.
pub(crate) fn nats_server() -> Result<PathBuf> {
    tool(nats::find, nats::install)
}

/// Returns the Python packages of the S3 server for the tests. Installs them below the target directory.
pub(crate) fn s3_server() -> Result<PathBuf> {
    tool(s3::find, s3::install)
}

/// Returns cargo-deny, which checks the dependencies. Installs it below the target directory.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    tool(deny::find, deny::install)
}

/// Returns a Chromium that runs without a display. Unpacks one below the target directory if there is none.
pub(crate) fn chromium() -> Result<PathBuf> {
    tool(programs::find_chromium, programs::install_chromium)
}

/// Returns Prometheus's promtool, with which the tests parse the metrics. Unpacks it below the target directory.
pub(crate) fn promtool() -> Result<PathBuf> {
    tool(programs::find_promtool, programs::install_promtool)
}

/// Returns valgrind, with `vgdb` beside it, for `cargo xtask bench count`. Unpacks it below the target directory.
pub(crate) fn valgrind() -> Result<PathBuf> {
    tool(programs::find_valgrind, programs::install_valgrind)
}

/// Returns the result of `find` among the tools, or else of `install`, which gets a scratch directory.
fn tool(
    find: impl Fn(&Path) -> Option<PathBuf>,
    install: impl FnOnce(&Path, &Path) -> Result<PathBuf>,
) -> Result<PathBuf> {
    let target = Workspace::load()?.target;
    let tools = target.join("tools");
    if let Some(found) = find(&tools) {
        return Ok(found);
    }
    let scratch = target.join("setup");
    let _lock = lock(&scratch)?;
    match find(&tools) {
        // The process that held the lock has installed it.
        Some(found) => Ok(found),
        None => install(&tools, &scratch),
    }
}

/// Prevents concurrent commands (an editor's and a shell's) from unpacking over each other.
fn lock(scratch: &Path) -> Result<File> {
    fs::create_dir_all(scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let lock = File::create(scratch.join("lock"))?;
    if lock.try_lock().is_err() {
        say("waiting for another set-up to end");
        lock.lock()?;
    }
    Ok(lock)
}

fn install(toolchain: &Toolchain, from: Option<&str>) -> Result<()> {
    let scratch = Workspace::load()?.target.join("setup");
    let _lock = lock(&scratch)?;
    // First, because the check of a new standard library needs it.
    if !toolchain.has_linker() {
        linker::install(toolchain, &scratch)?;
    }
    if !toolchain.has_std() {
        say(&format!("{TARGET} is missing for rustc {} in {}", toolchain.version, toolchain.sysroot.display()));
        add_target(toolchain, &scratch, from)?;
    }
    say(&format!("{TARGET} is ready"));
    Ok(())
}

fn add_target(toolchain: &Toolchain, scratch: &Path, from: Option<&str>) -> Result<()> {
    if from != Some("debian") {
        match rustup::add_target(toolchain) {
            Ok(()) => return Ok(()),
            Err(error) if from == Some("rustup") => return Err(error),
            Err(error) => say(&format!("rustup cannot help: {error:#}")),
        }
    }
    if !shell::has("apt-get") || !shell::has("dpkg") {
        bail!(
            "{TARGET} is missing, rustup cannot install it, and this is not a Debian system; \
             run `rustup target add {TARGET}` where rustup can download"
        );
    }
    say("building the standard library from Debian's packages (a minute or two)");
    debian::add_target(toolchain, scratch)
}
