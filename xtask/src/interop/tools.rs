//! Tools from other languages' registries, installed below `target/` in pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

/// The timeout of an installation or a build.
pub(super) const TOOL_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// The directory of the tools, with one subdirectory each.
pub(super) struct Tools(PathBuf);

impl Tools {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// Returns the cache directory of a tool.
    pub(super) fn cache(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Returns the directory that `install` fills on the first call that succeeds.
    pub(super) fn get(&self, name: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let directory = self.0.join(name);
        if directory.exists() {
            return Ok(directory);
        }
        let partial = self.0.join(format!("{name}.partial"));
        if partial.exists() {
            fs::remove_dir_all(&partial)?;
        }
        fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
        install(&partial)?;
        fs::rename(&partial, &directory).with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(directory)
    }
}

/// Runs a command with a timeout.
pub(super) fn run(command: &mut Command) -> Result<()> {
    shell::run_within(command, TOOL_TIMEOUT)
}

/// Returns true if a command starts and succeeds.
pub(super) fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
