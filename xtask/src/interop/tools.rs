//! Tools from other languages' registries, installed below `target/` in pinned versions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

/// How long an installation or a build may take before something is wrong.
pub(super) const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// The directory that tools are installed into, each into one of its own.
pub(super) struct Tools(PathBuf);

impl Tools {
    pub(super) fn new(directory: PathBuf) -> Self {
        Self(directory)
    }

    /// A directory for what a tool keeps between runs.
    pub(super) fn cache(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The directory that `install` filled. It is called once, and not again after it succeeded.
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

/// Runs a command in a bounded time.
pub(super) fn run(command: &mut Command) -> Result<()> {
    shell::run_within(command, PATIENCE)
}

/// Whether a command can be started and succeeds.
pub(super) fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
