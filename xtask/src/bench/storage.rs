//! `cargo xtask bench storage`: store operations from a guest, compared with the same operations in native Rust.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ArgMatches;

use super::table::{markdown, median, number};
use super::{nats, prepare};
use crate::shell::say;
use crate::workspace::Workspace;

/// A case: a backend, an operation, its concurrency and its count.
struct Case {
    title: &'static str,
    url: &'static str,
    operation: &'static str,
    at_once: u32,
    count: u32,
}

const fn case(title: &'static str, url: &'static str, operation: &'static str, at_once: u32, count: u32) -> Case {
    Case { title, url, operation, at_once, count }
}

/// The operations on a store.
pub(super) const OPERATIONS: [&str; 4] = ["get", "set", "read", "write"];

impl Case {
    /// Returns true for objects of 16 MiB, false for values of 256 bytes.
    fn of_objects(&self) -> bool {
        matches!(self.operation, "read" | "write")
    }
}

const CASES: &[Case] = &[
    case("NATS get, 1 at once", "nats", "get", 1, 5_000),
    case("NATS get, 64 at once", "nats", "get", 64, 40_000),
    case("NATS set, 1 at once", "nats", "set", 1, 5_000),
    case("NATS set, 64 at once", "nats", "set", 64, 40_000),
    case("file get, 1 at once", "file", "get", 1, 200_000),
    case("file set, 1 at once", "file", "set", 1, 300),
    case("file set, 64 at once", "file", "set", 64, 6_000),
    case("NATS read an object", "nats", "read", 1, 12),
    case("NATS write an object", "nats", "write", 1, 12),
    case("file read an object", "file", "read", 1, 40),
    case("file write an object", "file", "write", 1, 12),
];

/// The programs, and the location of the data.
struct Bench {
    tempo: PathBuf,
    native: PathBuf,
    guest: PathBuf,
    directory: PathBuf,
    port: u16,
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    if !arguments.get_flag("no-build") {
        prepare::native(super::profile(arguments), |name| name == "test-storage-bench")?;
    }
    let directory = workspace.target.join("bench-storage");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory)?;
    let bench = Bench {
        tempo: workspace.target.join(super::profile(arguments)).join("tempo"),
        native: workspace.profile_dir(true).join("native-storage"),
        guest: workspace.guest_dir().join("test_storage_bench.wasm"),
        port: free_port()?,
        directory,
    };
    let _server = nats::Server::start(bench.port, &bench.directory.join("nats"))?;
    let rounds = super::number(arguments, "rounds");
    let only = super::only(arguments);
    let wanted = |case: &&Case| only.as_ref().is_none_or(|only| only.iter().any(|name| name == case.operation));
    let cases: Vec<&Case> = CASES.iter().filter(wanted).collect();
    let mut times: Vec<(Vec<f64>, Vec<f64>)> = cases.iter().map(|_| Default::default()).collect();
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        for (case, (guest, native)) in cases.iter().zip(&mut times) {
            guest.push(bench.guest(case).with_context(|| format!("{} from the guest", case.title))?);
            native.push(bench.native(case).with_context(|| format!("{}, native", case.title))?);
        }
    }
    print!("{}", report(&cases, &times));
    let _ = std::fs::remove_dir_all(&bench.directory);
    Ok(())
}

fn report(cases: &[&Case], times: &[(Vec<f64>, Vec<f64>)]) -> String {
    let rows: Vec<Vec<String>> = cases
        .iter()
        .zip(times)
        .map(|(case, (guest, native))| {
            let rate = |times: &[f64]| median(times.iter().copied()).map(|seconds| f64::from(case.count) / seconds);
            let (guest, native) = (rate(guest), rate(native));
            let ratio = guest.zip(native).map(|(guest, native)| guest / native);
            vec![case.title.to_owned(), number(guest, 0), number(native, 0), number(ratio, 2)]
        })
        .collect();
    markdown(&["values of 256 B, objects of 16 MiB", "guest, a second", "native, a second", "ratio"], &rows)
}

impl Bench {
    /// Returns the URL of a side: the guest and the native program have a store each, on the same server or disk.
    fn url(&self, case: &Case, side: &str) -> String {
        match case.url {
            "nats" => format!("nats://127.0.0.1:{}/{side}", self.port),
            _ if case.of_objects() => format!("file:{}", self.directory.join(format!("{side}-objects")).display()),
            _ => format!("file:{}", self.directory.join(format!("{side}.redb")).display()),
        }
    }

    fn guest(&self, case: &Case) -> Result<f64> {
        let mut command = Command::new(&self.tempo);
        let service = if case.of_objects() { "--blobstore" } else { "--keyvalue" };
        command.arg("run").arg(&self.guest).args([service, &self.url(case, "guest"), "--"]);
        seconds(with_case(&mut command, case))
    }

    fn native(&self, case: &Case) -> Result<f64> {
        let mut command = Command::new(&self.native);
        command.arg(self.url(case, "native"));
        seconds(with_case(&mut command, case))
    }
}

fn with_case<'c>(command: &'c mut Command, case: &Case) -> &'c mut Command {
    command.args([case.operation, &case.count.to_string(), &case.at_once.to_string()])
}

/// Runs a program and parses the seconds that it prints.
pub(super) fn seconds(command: &mut Command) -> Result<f64> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("ended with {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().with_context(|| format!("printed `{}`", text.trim()))
}

pub(super) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}
