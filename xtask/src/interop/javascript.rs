//! JavaScript: componentize-js from npm, which combines an interpreter and the script into a component.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::wit::Interfaces;
use super::{BuildContext, tools};

/// The inputs of every JavaScript component: the packages, and the script that uses them.
pub(super) const TOOLS: &[&str] = &[PACKAGES, BUILD];
const PACKAGES: &str = include_str!("../../../tests/interop/javascript/package.json");
const BUILD: &str = include_str!("../../../tests/interop/javascript/build.mjs");

/// The WIT of the storage component.
pub(super) const STORAGE: &[&str] = &["blobstore-draft", "keyvalue-draft2"];

/// The only version of wasi:http for which componentize-js exports its handler of fetch events.
const WASI: &str = "0.2.10";

pub(super) fn lacks() -> Option<&'static str> {
    (!tools::works("node", &["--version"]) || !tools::works("npm", &["--version"])).then_some("Node.js with npm")
}

pub(super) fn build_handler(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    build(context, &context.p2.renamed(WASI), "", source, &scratch.join("javascript.wasm"))
}

pub(super) fn build_storage(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    let imports = "include wasi:blobstore/imports@0.2.0-draft; include wasi:keyvalue/imports@0.2.0-draft2;";
    build(context, &context.p2.renamed(WASI).with(STORAGE)?, imports, source, &scratch.join("javascript-storage.wasm"))
}

fn build(context: &BuildContext, interfaces: &Interfaces, imports: &str, source: &Path, output: &Path) -> Result<()> {
    // This file determines the installed packages, so its digest names the directory.
    let digest: String = Sha256::digest(PACKAGES).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let node = context.tools.get(&format!("componentize-js-{digest}"), |directory| {
        fs::write(directory.join("package.json"), PACKAGES)?;
        // No package of the tree needs an install script.
        let flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
        tools::run(Command::new("npm").args(flags).current_dir(directory))
    })?;
    // Node searches for packages beside the importing script.
    let script = node.join("build.mjs");
    fs::write(&script, BUILD)?;
    let wit = output.with_file_name("wit");
    let world = format!("{imports} export wasi:http/incoming-handler@{WASI};");
    interfaces.write_directory(&wit, &world)?;
    let mut command = Command::new("node");
    command.arg(script).arg(source.join("handler.js")).arg(wit).arg(output);
    tools::run(&mut command)
}
