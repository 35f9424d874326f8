//! The target by rustup: the ordinary way, where rustup manages the compiler and can download.

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::TARGET;
use super::toolchain::Toolchain;
use crate::shell;

/// A download of 30 MB on a slow line; where packets vanish behind a firewall, rustup alone would wait far longer.
const LIMIT: Duration = Duration::from_secs(180);

/// `rustup target add`, and a look whether it helped the compiler that cargo uses.
pub(super) fn add_target(toolchain: &Toolchain) -> Result<()> {
    if !shell::has("rustup") {
        bail!("it is not installed");
    }
    shell::run_within(Command::new("rustup").args(["target", "add", TARGET]), LIMIT)?;
    if !toolchain.has_std() {
        bail!("it installed {TARGET}, but not for the compiler in {}", toolchain.sysroot.display());
    }
    Ok(())
}
