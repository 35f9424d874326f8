//! Python: componentize-py from PyPI, which puts CPython and the script into one component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::wit::Interfaces;
use super::{Workshop, tools};

pub(super) const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// The WIT that the storage component is built against.
pub(super) const STORAGE: &[&str] = &["keyvalue-wasmcloud"];

pub(super) fn lacks() -> Option<&'static str> {
    (!tools::works("python3", &["-m", "pip", "--version"])).then_some("python3 with pip")
}

pub(super) fn build_p2(workshop: &Workshop, source: &Path, scratch: &Path) -> Result<()> {
    let world = format!("export wasi:http/incoming-handler@{};", workshop.p2.version);
    build(workshop, &workshop.p2, &world, source, &scratch.join("python-p2.wasm"))
}

pub(super) fn build_p3(workshop: &Workshop, source: &Path, scratch: &Path) -> Result<()> {
    let world = format!("include wasi:http/service@{};", workshop.p3.version);
    build(workshop, &workshop.p3, &world, source, &scratch.join("python-p3.wasm"))
}

pub(super) fn build_storage(workshop: &Workshop, source: &Path, scratch: &Path) -> Result<()> {
    let interfaces = workshop.p3.with(STORAGE)?;
    let world = format!("include wasi:http/service@{}; include wasmcloud:keyvalue/imports@0.2.0;", interfaces.version);
    build(workshop, &interfaces, &world, source, &scratch.join("python-storage.wasm"))
}

fn build(workshop: &Workshop, interfaces: &Interfaces, world: &str, source: &Path, output: &Path) -> Result<()> {
    let packages = install(workshop, COMPONENTIZE)?;
    // CPython runs the program once and leaves its cache beside it: not among our sources.
    let program = output.with_file_name("program");
    fs::create_dir_all(&program)?;
    fs::copy(source.join("app.py"), program.join("app.py"))?;
    let wit = output.with_file_name("wit");
    interfaces.write_directory(&wit, world)?;
    let mut command = Command::new("python3");
    // The package has no `__main__`; this is what its own command does.
    command.args(["-c", "import sys, componentize_py; sys.exit(componentize_py.script())", "-q", "-d"]);
    command.arg(wit).args(["-w", "handler", "componentize", "-p"]).arg(program).args(["app", "-o"]).arg(output);
    tools::run(command.env("PYTHONPATH", packages))
}

/// Installs one package from PyPI, without what it depends on, and says where it is.
pub(super) fn install(workshop: &Workshop, requirement: &str) -> Result<PathBuf> {
    workshop.tools.get(&requirement.replace("==", "-"), |directory| {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
        // In a container everyone is root, and a directory of our own is nobody else's.
        tools::run(command.arg(directory).arg(requirement).env("PIP_ROOT_USER_ACTION", "ignore"))
    })
}
