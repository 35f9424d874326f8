//! Python: componentize-py from PyPI, which combines CPython and the script into a component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::wit::Interfaces;
use super::{BuildContext, tools};

pub(super) const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// The WIT of the storage component.
pub(super) const STORAGE: &[&str] = &["keyvalue-wasmcloud"];

pub(super) fn lacks() -> Option<&'static str> {
    (!tools::works("python3", &["-m", "pip", "--version"])).then_some("python3 with pip")
}

pub(super) fn build_p2(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    let world = format!("export wasi:http/incoming-handler@{};", context.p2.version);
    build(context, &context.p2, &world, source, &scratch.join("python-p2.wasm"))
}

pub(super) fn build_p3(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    let world = format!("include wasi:http/service@{};", context.p3.version);
    build(context, &context.p3, &world, source, &scratch.join("python-p3.wasm"))
}

pub(super) fn build_storage(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    let interfaces = context.p3.with(STORAGE)?;
    let world = format!("include wasi:http/service@{}; include wasmcloud:keyvalue/imports@0.2.0;", interfaces.version);
    build(context, &interfaces, &world, source, &scratch.join("python-storage.wasm"))
}

fn build(context: &BuildContext, interfaces: &Interfaces, world: &str, source: &Path, output: &Path) -> Result<()> {
    let packages = install(context, COMPONENTIZE)?;
    // CPython runs the program once and writes its cache beside it: use a copy of the sources.
    let program = output.with_file_name("program");
    fs::create_dir_all(&program)?;
    fs::copy(source.join("app.py"), program.join("app.py"))?;
    let wit = output.with_file_name("wit");
    interfaces.write_directory(&wit, world)?;
    let mut command = Command::new("python3");
    // The package has no `__main__`; this is what its own command runs.
    command.args(["-c", "import sys, componentize_py; sys.exit(componentize_py.script())", "-q", "-d"]);
    command.arg(wit).args(["-w", "handler", "componentize", "-p"]).arg(program).args(["app", "-o"]).arg(output);
    tools::run(command.env("PYTHONPATH", packages))
}

/// Installs one package from PyPI without its dependencies, and returns its path.
pub(super) fn install(context: &BuildContext, requirement: &str) -> Result<PathBuf> {
    context.tools.get(&requirement.replace("==", "-"), |directory| {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target"]);
        // Containers run as root; the target directory is the project's own.
        tools::run(command.arg(directory).arg(requirement).env("PIP_ROOT_USER_ACTION", "ignore"))
    })
}
