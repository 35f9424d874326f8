//! The linker of components. rustup's toolchains include it; a distribution's compiler may not.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::toolchain::{Toolchain, require_writable};
use crate::shell::{self, say};

/// Builds wasm-component-ld from crates.io and installs it beside rustc's other tools. It calls `wasm-ld`, which is
/// part of rustc or of LLVM's lld.
pub(super) fn install(toolchain: &Toolchain, scratch: &Path) -> Result<()> {
    say("the compiler has no wasm-component-ld; building it from crates.io");
    let tools = toolchain.tools_dir();
    require_writable(&tools)?;
    let root = scratch.join("tools");
    shell::run(shell::cargo().args(["install", "--locked", "wasm-component-ld", "--root"]).arg(&root))?;
    let partial = tools.join("wasm-component-ld.partial");
    fs::copy(root.join("bin/wasm-component-ld"), &partial)
        .and_then(|_| fs::rename(&partial, tools.join("wasm-component-ld")))
        .with_context(|| format!("cannot put wasm-component-ld in {}", tools.display()))
}
