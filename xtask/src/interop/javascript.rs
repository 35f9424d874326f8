//! JavaScript: componentize-js from npm, which puts an interpreter and the script into one component.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{Workshop, tools};

/// The version of wasi:http that componentize-js exports its handler of fetch events under, and no other.
const WASI: &str = "0.2.10";

pub(super) fn lacks() -> Option<&'static str> {
    (!tools::works("node", &["--version"]) || !tools::works("npm", &["--version"])).then_some("Node.js with npm")
}

pub(super) fn build(workshop: &Workshop, source: &Path, scratch: &Path) -> Result<()> {
    let manifest = source.join("package.json");
    let text = fs::read(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    // What is installed is decided by this file, so it names the directory.
    let digest: String = Sha256::digest(&text).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let node = workshop.tools.get(&format!("componentize-js-{digest}"), |directory| {
        fs::write(directory.join("package.json"), &text)?;
        // No package of the tree needs to run a script to be installed.
        let flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"];
        tools::run(Command::new("npm").args(flags).current_dir(directory))
    })?;
    // Node looks for packages beside the script that imports them.
    let script = node.join("build.mjs");
    fs::copy(source.join("build.mjs"), &script)?;
    let wit = scratch.join("wit");
    workshop.p2.renamed(WASI).write_directory(&wit, &format!("export wasi:http/incoming-handler@{WASI};"))?;
    let mut command = Command::new("node");
    command.arg(script).arg(source.join("handler.js")).arg(wit).arg(scratch.join("javascript.wasm"));
    tools::run(&mut command)
}
