//! Spin's SDK for Rust: a package outside the workspace, with a lock file of its own, for each version of the SDK.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{BuildContext, tools};
use crate::names::TARGET;
use crate::shell;

pub(super) fn build(context: &BuildContext, source: &Path, scratch: &Path) -> Result<()> {
    let name = source.file_name().context("the sources have a directory")?.to_string_lossy();
    // The versions of the SDK share most dependencies.
    let target = context.tools.cache("spin-target");
    let mut cargo = shell::cargo();
    cargo.args(["build", "--locked", "--release", "--target", TARGET, "--manifest-path"]);
    tools::run(cargo.arg(source.join("Cargo.toml")).arg("--target-dir").arg(&target))?;
    let built = target.join(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_")));
    fs::copy(&built, scratch.join(format!("{name}.wasm")))
        .with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(())
}
