//! `cargo xtask test`: builds the tests' programs, runs all tests, and prints a summary.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::shell::{self, say};
use crate::workspace::Workspace;
use crate::{build, interop, setup};

/// The variable with the path of the nats-server for the tests.
const NATS_SERVER: &str = "TEMPO_TEST_NATS_SERVER";
/// The variable with the Python packages of the S3 server for the tests.
const S3_SERVER: &str = "TEMPO_TEST_S3_SERVER";
/// The variable with the path of the Chromium for the tests of the dashboard.
pub(crate) const CHROMIUM: &str = "TEMPO_TEST_CHROMIUM";
/// The variable with the path of the promtool for the tests of the metrics.
pub(crate) const PROMTOOL: &str = "TEMPO_TEST_PROMTOOL";
/// The variable with the path of the valgrind for `cargo xtask bench count`.
pub(crate) const VALGRIND: &str = "TEMPO_BENCH_VALGRIND";
/// The variable that makes long tests run in full.
const SLOW: &str = "TEMPO_TEST_SLOW";

pub(crate) fn command() -> Command {
    let slow = Arg::new("slow").long("slow").action(ArgAction::SetTrue).help("Runs the crash tests at full length");
    Command::new("test").about("Builds everything and runs every test").arg(slow).arg(
        Arg::new("args")
            .value_name("ARGS")
            .num_args(0..)
            .last(true)
            .help("Arguments for `cargo test`, as in `-- limits -- --nocapture`"),
    )
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let started = Instant::now();
    setup::ensure()?;
    let workspace = Workspace::load()?;
    build::guests(workspace.guests())?;
    interop::build(&workspace)?;
    let (nats_server, s3_server) = (setup::nats_server()?, setup::s3_server()?);
    let (chromium, promtool) = (setup::chromium()?, setup::promtool()?);
    // `cargo test` does not build the programs of other packages that tests start.
    build::runtimes(workspace.runtimes(), false)?;

    let given: Vec<&String> = arguments.get_many("args").into_iter().flatten().collect();
    let mut cargo = shell::cargo();
    cargo.args(["test", "--no-fail-fast"]).args(given).env(NATS_SERVER, nats_server).env(S3_SERVER, s3_server);
    cargo.env(CHROMIUM, chromium).env(PROMTOOL, promtool);
    if arguments.get_flag("slow") {
        cargo.env(SLOW, "1");
    }
    let (counts, passed) = counted(&mut cargo)?;
    say(&format!("{counts} in {} s", started.elapsed().as_secs()));
    if !passed {
        bail!("tests failed; `cargo test` names them above");
    }
    Ok(())
}

/// The results of the test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
    programs: u64,
}

impl Counts {
    /// Parses a line of the form `test result: ok. 3 passed; 0 failed; 0 ignored; ...`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        let words: Vec<&str> = result.split_whitespace().collect();
        for pair in words.windows(2) {
            let [number, what] = pair else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match *what {
                "passed;" => self.passed += number,
                "failed;" => self.failed += number,
                "ignored;" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { passed, failed, ignored, programs } = self;
        write!(f, "{passed} tests passed, {failed} failed, {ignored} ignored, by {programs} test programs")
    }
}

/// Runs cargo, prints its output as it arrives, and counts.
fn counted(cargo: &mut std::process::Command) -> Result<(Counts, bool)> {
    eprintln!("$ {}", shell::line(cargo));
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read what cargo test writes")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts.add(&line);
        }
    }
    Ok((counts, child.wait()?.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up() {
        let mut counts = Counts::default();
        counts.add("running 3 tests");
        counts.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        counts.add("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out; finished in 0.01s");
        assert_eq!(counts, Counts { passed: 4, failed: 2, ignored: 1, programs: 2 });
    }
}
