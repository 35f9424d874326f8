//! A server that runs under valgrind's callgrind, which counts the instructions of its threads in user space.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::profile::{self, Counts};
use super::server::Server;
use crate::shell;

/// What glibc copies and compares memory with is the same on every x86-64 machine: not what suits its processor best.
/// Callgrind counts each step of `rep movsb` besides, so that one instruction would look like many.
const TUNABLES: &str = "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

/// A server under callgrind. Dropping it ends it.
pub(crate) struct Callgrind {
    server: Server,
    vgdb: PathBuf,
    /// What callgrind puts before the number of a profile.
    profiles: PathBuf,
    dumps: u32,
}

/// `command` on valgrind's processor, which is much the same on all machines, with a tool of valgrind's.
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
    /// Starts `command`, a server, and keeps profiles in `directory`. Nothing is counted yet.
    pub(crate) fn start(program: &Path, command: &Command, directory: &Path) -> Result<Self> {
        let profiles = directory.join("profile");
        let output = format!("--callgrind-out-file={}", profiles.display());
        let mut arguments = vec!["--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"];
        arguments.extend(["--collect-systime=usec", output.as_str()]);
        let server = Server::start(valgrind(program, &arguments, command))?;
        Ok(Self { server, vgdb: program.with_file_name("vgdb"), profiles, dumps: 0 })
    }

    /// The server itself.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Begins to count. The server is ten times slower from here on.
    pub(crate) fn instrument(&self) -> Result<()> {
        self.ask(&["instrumentation", "on"])
    }

    /// Counts what the server does during `work`.
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
