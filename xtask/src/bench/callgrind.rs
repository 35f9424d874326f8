//! Runs a server under valgrind's callgrind, which counts its instructions in user space.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::profile::{self, Counts};
use super::server::Server;
use crate::shell;

/// glibc tunables that select the same memory functions on every x86-64 machine. Callgrind counts each step of `rep
/// movsb`, so ERMS and FSRM are off.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

/// A server under callgrind. Dropping it ends the server.
pub(crate) struct Callgrind {
    server: Server,
    vgdb: PathBuf,
    /// The path prefix of the profiles.
    profiles: PathBuf,
    dumps: u32,
}

/// Wraps `command` in a tool of valgrind, whose emulated CPU is nearly the same on all machines.
pub(crate) fn valgrind(valgrind: &Path, arguments: &[&str], command: &Command) -> Command {
    let mut wrapped = Command::new(valgrind);
    wrapped.arg("--quiet").args(arguments).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        wrapped.current_dir(directory);
    }
    wrapped.env("GLIBC_TUNABLES", TUNABLES);
    wrapped
}

impl Callgrind {
    /// Starts the server `command`, with profiles in `directory`. Counting is off.
    pub(crate) fn start(program: &Path, command: &Command, directory: &Path) -> Result<Self> {
        let profiles = directory.join("profile");
        let output = format!("--callgrind-out-file={}", profiles.display());
        let mut arguments = vec!["--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"];
        arguments.extend(["--collect-systime=usec", output.as_str()]);
        let server = Server::start(valgrind(program, &arguments, command))?;
        Ok(Self { server, vgdb: program.with_file_name("vgdb"), profiles, dumps: 0 })
    }

    /// Returns the server.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Turns counting on. The server is ten times slower from here on.
    pub(crate) fn instrument(&self) -> Result<()> {
        self.ask(&["instrumentation", "on"])
    }

    /// Counts the server's instructions during `work`.
    pub(crate) fn count(&mut self, work: impl FnOnce() -> Result<()>) -> Result<Counts> {
        self.ask(&["zero"])?;
        work()?;
        self.ask(&["dump"])?;
        self.dumps += 1;
        let prefix = format!("{}.{}-", self.profiles.display(), self.dumps);
        let directory = self.profiles.parent().context("profiles are in a directory")?;
        let mut counts = Counts::default();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.to_string_lossy().starts_with(&prefix) {
                counts = counts + profile::read(&String::from_utf8_lossy(&fs::read(&path)?));
                fs::remove_file(path)?;
            }
        }
        ensure!(counts.instructions > 0, "callgrind counted nothing");
        Ok(counts)
    }

    fn ask(&self, request: &[&str]) -> Result<()> {
        let process = format!("--pid={}", self.server.id());
        shell::read(Command::new(&self.vgdb).arg(process).args(request)).map(drop)
    }
}
