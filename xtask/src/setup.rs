//! `cargo xtask setup`: installs the target wasm32-wasip2, which builds need beyond rustup's stable Rust, and the
//! programs of the tests: a nats-server, an S3 server, Chromium and promtool.
//!
//! `run`, `build` and `test` call [`ensure`], and `test` calls the functions after it. Each takes a few milliseconds if
//! nothing is missing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{ArgMatches, Command};

use crate::names::TARGET;
use crate::shell::say;
use crate::workspace::Workspace;

mod apt;
mod deny;
mod mirror;
mod nats;
mod programs;
mod rustup;
mod s3;
mod toolchain;

use toolchain::Toolchain;

pub(crate) fn command() -> Command {
    Command::new("setup").about("Installs the wasm32-wasip2 target and what the tests start where they are missing")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    ensure()?;
    say(&format!("{TARGET} is installed"));
    say(&format!("nats-server is {}", nats_server()?.display()));
    say(&format!("the S3 server of the tests is {}", s3_server()?.display()));
    say(&format!("chromium is {}", chromium()?.display()));
    say(&format!("promtool is {}", promtool()?.display()));
    Ok(())
}

/// Installs the target with rustup if it is missing; silent otherwise.
pub(crate) fn ensure() -> Result<()> {
    let toolchain = Toolchain::find()?;
    if toolchain.is_complete() { Ok(()) } else { install(&toolchain) }
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

/// Returns `llvm-profdata`, for `cargo xtask dist --pgo`, as that of another version may not read the profiles. Installs it with
/// rustup if it is missing.
pub(crate) fn llvm_profdata() -> Result<PathBuf> {
    let toolchain = Toolchain::find()?;
    let program = toolchain.tools_dir().join("llvm-profdata");
    if !program.exists() {
        rustup::add_llvm_tools(&toolchain)
            .context("llvm-profdata is missing; `rustup component add llvm-tools` installs it")?;
    }
    ensure!(program.exists(), "rustup left no {}", program.display());
    Ok(program)
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

fn install(toolchain: &Toolchain) -> Result<()> {
    let _lock = lock(&Workspace::load()?.target.join("setup"))?;
    // The process that held the lock may have installed it.
    if !toolchain.has_std() {
        say(&format!("{TARGET} is missing for rustc {} in {}", toolchain.version, toolchain.sysroot.display()));
        rustup::add_target(toolchain).with_context(|| {
            format!(
                "{TARGET} is missing; install Rust with rustup (https://rustup.rs) and run `rustup target add {TARGET}`"
            )
        })?;
    }
    if !toolchain.has_linker() {
        bail!(
            "wasm-component-ld is missing; install Rust with rustup (https://rustup.rs), whose toolchains include it"
        );
    }
    say(&format!("{TARGET} is ready"));
    Ok(())
}
