//! The context of a table: the machine, the date and the versions.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::contest::Files;
use super::cores::Cores;
use crate::{shell, workspace};

const UNKNOWN: &str = "unknown";
const COMPILER: &str = "compiler";

/// The machine and the versions of a benchmark.
#[derive(Debug)]
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    kernel: String,
    date: String,
    /// The versions of the available programs.
    versions: Vec<(&'static str, String)>,
    pinned: Option<Cores>,
}

impl Machine {
    /// Queries the system and the programs. Unavailable values are `unknown`, which does not fail the measurement.
    pub(crate) fn read(files: &Files, pinned: Option<Cores>) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = |line: &str| Some(line.strip_prefix("model name")?.split_once(':')?.1.trim().to_owned());
        let version = |program: &Path| first_line(Command::new(program).arg("--version"));
        let mut versions = vec![
            ("tempo", version(&files.tempo)),
            ("wasmtime serve", version(&files.wasmtime)),
            ("hyper", locked("hyper")),
            (COMPILER, first_line(shell::rustc().arg("--version"))),
        ];
        versions.retain(|(_, version)| version != UNKNOWN);
        Self {
            cpu: cpuinfo.lines().find_map(model).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: first_line(Command::new("uname").args(["-s", "-r"])),
            date: first_line(Command::new("date").args(["-u", "+%Y-%m-%d"])),
            versions,
            pinned,
        }
    }

    /// Returns the model of the processor.
    pub(crate) fn processor(&self) -> &str {
        &self.cpu
    }

    /// Returns the version of the compiler.
    pub(crate) fn compiler(&self) -> &str {
        let compiler = self.versions.iter().find(|(name, _)| *name == COMPILER);
        compiler.map_or(UNKNOWN, |(_, version)| version)
    }

    /// Formats two lines to precede a table.
    pub(crate) fn markdown(&self) -> String {
        let pinned = match self.pinned {
            Some(Cores { server, load }) => format!("server on core {server}, load on core {load}"),
            None => "nothing pinned to a core".to_owned(),
        };
        let versions: Vec<_> = self.versions.iter().map(|(name, version)| format!("{name}: {version}")).collect();
        format!(
            "{}, {} cores, {}; {pinned}; {}.\n{}.",
            self.cpu,
            self.cores,
            self.kernel,
            self.date,
            versions.join("; ")
        )
    }

    /// Formats as JSON.
    pub(crate) fn json(&self) -> Value {
        let versions: serde_json::Map<_, _> =
            self.versions.iter().map(|(name, version)| ((*name).to_owned(), json!(version))).collect();
        json!({
            "cpu": self.cpu,
            "cores": self.cores,
            "kernel": self.kernel,
            "date": self.date,
            "versions": versions,
            "pinned": self.pinned.map(|cores| json!({ "server": cores.server, "load": cores.load })),
        })
    }
}

/// Returns the commit of the workspace, marked if files differ from it.
pub(crate) fn commit() -> String {
    first_line(
        Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).current_dir(workspace::root()),
    )
}

fn first_line(command: &mut Command) -> String {
    let text = shell::read(command).unwrap_or_default();
    text.lines().next().map_or_else(|| UNKNOWN.to_owned(), |line| line.trim().to_owned())
}

/// Returns the version of a package in Cargo.lock.
fn locked(package: &str) -> String {
    let lock = fs::read_to_string(workspace::root().join("Cargo.lock")).unwrap_or_default();
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    version.unwrap_or(UNKNOWN).to_owned()
}
