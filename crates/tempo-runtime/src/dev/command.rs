//! `BuildCommand`: a program that builds a component.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::built_file::BuiltFile;
use crate::manifest::DeclaredBuild;

/// A program that builds a component, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BuildCommand {
    program: OsString,
    arguments: Vec<OsString>,
    /// The folder in which it runs.
    dir: PathBuf,
    /// The command as users read it.
    text: String,
}

impl BuildCommand {
    /// The command that the manifest declares, which `sh` runs.
    pub(super) fn declared(build: &DeclaredBuild) -> Self {
        Self {
            program: "sh".into(),
            arguments: vec!["-c".into(), build.command.clone().into()],
            dir: build.dir.clone(),
            text: build.command.clone(),
        }
    }

    /// The command by which Cargo, in the folder `dir`, builds `file` of `package`.
    pub(super) fn cargo(dir: PathBuf, package: &str, file: &BuiltFile) -> Self {
        let mut words = vec!["build", "--package", package, "--target", &file.target];
        match file.profile.as_str() {
            "debug" => {}
            "release" => words.push("--release"),
            profile => words.extend(["--profile", profile]),
        }
        let text = format!("cargo {}", words.join(" "));
        let mut arguments: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        // The settings of Cargo may name another directory.
        arguments.extend(["--target-dir".into(), file.target_dir.clone().into()]);
        Self { program: cargo(), arguments, dir, text }
    }

    /// Returns the command as users read it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the process to start. `color` is whether its output may have colors.
    pub(super) fn process(&self, color: bool) -> Command {
        let mut process = Command::new(&self.program);
        process.args(&self.arguments);
        // An empty path is the working directory.
        if !self.dir.as_os_str().is_empty() {
            process.current_dir(&self.dir);
        }
        if color && std::env::var_os("CARGO_TERM_COLOR").is_none() {
            process.env("CARGO_TERM_COLOR", "always");
        }
        process
    }
}

/// Returns the program of Cargo.
pub(super) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
