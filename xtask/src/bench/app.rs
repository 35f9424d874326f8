//! An app to measure: its folder, its precompiled components, its manifest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::contest::{Files, Program};
use super::cost::ANY_PROCESSOR;
use crate::shell;

/// A folder with an app. Its key for precompiled files lies there too.
pub(super) struct App<'a> {
    files: &'a Files,
    pub(super) directory: PathBuf,
}

impl<'a> App<'a> {
    /// Creates the folder, and removes what an earlier run has left in it.
    pub(super) fn create(files: &'a Files, directory: PathBuf) -> Result<Self> {
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory)?;
        Ok(Self { files, directory })
    }

    /// Compiles a component to `NAME.bin`, for any processor of the target: valgrind emulates one.
    pub(super) fn compile(&self, wasm: &Path, name: &str, flags: &[&str]) -> Result<()> {
        let mut command = self.command("compile");
        command.arg(wasm).args(["--target", ANY_PROCESSOR, "--output"]).arg(format!("{name}.bin")).args(flags);
        shell::read(&mut command).map(drop)
    }

    /// Writes the manifest.
    pub(super) fn declare(&self, manifest: &str) -> Result<()> {
        Ok(fs::write(self.directory.join("tempo.toml"), manifest)?)
    }

    /// Replaces the file `name` at once, so that no reload reads a part of it.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let next = self.directory.join("next");
        fs::write(&next, bytes)?;
        Ok(fs::rename(next, self.directory.join(name))?)
    }

    /// Returns the command that serves the app on a port that the system chooses; flags may follow.
    pub(super) fn serve(&self) -> Command {
        self.within(self.files.program(Program::Tempo))
    }

    /// Returns a command of Tempo in the folder.
    pub(super) fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.files.tempo);
        command.arg(subcommand);
        self.within(command)
    }

    fn within(&self, mut command: Command) -> Command {
        command.current_dir(&self.directory).env("XDG_DATA_HOME", &self.directory);
        command
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Returns the declaration of a component that is compiled to `FILE.bin`.
pub(super) fn component(name: &str, file: &str, lines: &str) -> String {
    format!("[component.{name}]\nsource = \"{file}.bin\"\n{lines}\n")
}
