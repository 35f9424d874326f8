//! The target and the tools of LLVM with rustup: the usual way, where rustup manages the compiler and can download.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::toolchain::Toolchain;
use crate::names::TARGET;
use crate::shell;

/// The timeout of a download of 30 MB on a slow line; behind a firewall that drops packets, rustup alone would wait far
/// longer.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(180);

/// Runs `rustup target add`, and checks that cargo's compiler has the target.
pub(super) fn add_target(toolchain: &Toolchain) -> Result<()> {
    add(toolchain, ["target", "add", TARGET])?;
    if !toolchain.has_std() {
        bail!("it left no standard library in {}", toolchain.target_libdir().display());
    }
    Ok(())
}

/// Runs `rustup component add` for the tools of LLVM, such as `llvm-profdata`.
pub(super) fn add_llvm_tools(toolchain: &Toolchain) -> Result<()> {
    add(toolchain, ["component", "add", "llvm-tools"])
}

fn add(toolchain: &Toolchain, arguments: [&str; 3]) -> Result<()> {
    if !shell::has("rustup") {
        bail!("it is not installed");
    }
    let own = shell::read(Command::new("rustup").args(["which", "rustc"]))?;
    if !same(Path::new(own.trim()), &toolchain.sysroot) {
        bail!("the compiler in {} is not one of its own", toolchain.sysroot.display());
    }
    // Its failure is expected here, and a printed command line would look like an error.
    let mut rustup = Command::new("rustup");
    shell::run_within(rustup.args(arguments).env_remove("RUST_BACKTRACE"), DOWNLOAD_TIMEOUT)
}

/// Returns true if a compiler is below a sysroot. Adding the target to another compiler would be useless.
fn same(rustc: &Path, sysroot: &Path) -> bool {
    match (rustc.canonicalize(), sysroot.canonicalize()) {
        (Ok(rustc), Ok(sysroot)) => rustc.starts_with(sysroot),
        _ => false,
    }
}
