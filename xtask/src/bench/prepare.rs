//! Builds the measured programs with optimizations, and installs `wasmtime serve`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contest::{Files, Guest, Program};
use crate::workspace::{Package, Workspace};
use crate::{build as build_command, setup, shell};

/// The release of wasmtime's command line to compare with: that of Tempo's wasmtime crates.
const WASMTIME: &str = "48.0.8";

/// Builds and installs the programs, and returns their paths. `profile` is that of Tempo.
pub(crate) fn files(programs: &[Program], profile: &str, build: bool) -> Result<Files> {
    let workspace = Workspace::load()?;
    let release = workspace.profile_dir(true);
    if build {
        self::build(&workspace, programs, profile)?;
    }
    let tools = workspace.target.join("tools");
    let wasmtime = tools.join("bin/wasmtime");
    if programs.contains(&Program::Wasmtime) {
        install_wasmtime(&wasmtime, &tools)?;
    }
    Ok(Files {
        hyper: release.join("hyper-hello"),
        tempo: workspace.target.join(profile).join("tempo"),
        other_tempo: PathBuf::new(),
        wasmtime,
        load: release.join("load"),
        p2: workspace.guest_dir().join(&find(&workspace, Guest::P2)?.wasm),
        p3: workspace.guest_dir().join(&find(&workspace, Guest::P3)?.wasm),
        axum: workspace.guest_dir().join(&find(&workspace, Guest::Axum)?.wasm),
    })
}

fn build(workspace: &Workspace, programs: &[Program], profile: &str) -> Result<()> {
    shell::run(shell::cargo().args(["build", "--release", "--package", "tempo-tests", "--bins"]))?;
    if programs.contains(&Program::Tempo) {
        tempo(profile)?;
    }
    if programs.iter().any(|&program| program != Program::Hyper) {
        setup::ensure()?;
        build_command::guests([find(workspace, Guest::P2)?, find(workspace, Guest::P3)?].into_iter())?;
    }
    Ok(())
}

/// Builds Tempo alone: together with the tests, shared crates would get the features of both.
fn tempo(profile: &str) -> Result<()> {
    shell::run(shell::cargo().args(["build", "--profile", profile, "--package", "tempo"]))
}

/// Builds Tempo, the native programs to compare with, and these guests of the tests.
pub(crate) fn native(profile: &str, guest: impl Fn(&str) -> bool) -> Result<()> {
    let workspace = Workspace::load()?;
    let tests = ["build", "--release", "--package", "tempo-tests", "--bins", "--features", "native"];
    shell::run(shell::cargo().args(tests))?;
    tempo(profile)?;
    setup::ensure()?;
    build_command::guests(workspace.guests().filter(|package| guest(&package.name)))
}

/// Builds a component besides those of [`files`].
pub(crate) fn guest(guest: Guest) -> Result<()> {
    build_command::guests(std::iter::once(find(&Workspace::load()?, guest)?))
}

fn find(workspace: &Workspace, guest: Guest) -> Result<&Package> {
    let name = guest.directory();
    workspace.guests().find(|package| package.dir_name() == name).with_context(|| format!("there is no guests/{name}"))
}

/// Installs wasmtime from crates.io, unless it exists. Takes some minutes the first time.
fn install_wasmtime(program: &Path, tools: &Path) -> Result<()> {
    let version = Command::new(program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    if String::from_utf8_lossy(&version).split_whitespace().any(|word| word == WASMTIME) {
        return Ok(());
    }
    shell::say(&format!("installing wasmtime {WASMTIME} into {} (some minutes, once)", tools.display()));
    let mut install = shell::cargo();
    install.args(["install", "wasmtime-cli", "--version", WASMTIME, "--locked", "--force", "--root"]);
    shell::run(install.arg(tools).arg("--target-dir").arg(tools.join("build")))
}
