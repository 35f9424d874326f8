//! `cargo xtask test`: builds the tests' programs, runs all tests, and prints a summary.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::names::{CHROMIUM, NATS_SERVER, PROMTOOL, S3_SERVER, SLOW};
use crate::shell::{self, say};
use crate::workspace::Workspace;
use crate::{build, interop, setup};

/// The arguments for cargo that select the unit tests: those in the libraries and programs. They start no server and no
/// guest. None of the selections changes the features, so that no dependency is compiled twice.
const UNIT: &[&str] = &["--lib", "--bins"];
/// The arguments that select the other tests; cargo runs the examples of the documentation in a command of their own.
const INTEGRATION: &[&[&str]] = &[&["--test", "*"], &["--doc"]];

pub(crate) fn command() -> Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    Command::new("test")
        .about("Builds everything and runs every test")
        .arg(flag("unit").help("Runs the unit tests only, which need no guest and no server"))
        .arg(flag("integration").conflicts_with("unit").help("Runs the tests that `--unit` leaves out"))
        .arg(flag("slow").help("Runs the crash tests at full length"))
        .arg(
            Arg::new("args")
                .value_name("ARGS")
                .num_args(0..)
                .last(true)
                .help("Arguments for `cargo test`, as in `-- limits -- --nocapture`"),
        )
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let started = Instant::now();
    let unit = arguments.get_flag("unit");
    let environment = if unit { Vec::new() } else { prepare(arguments.get_flag("slow"))? };
    let given: Vec<&String> = arguments.get_many("args").into_iter().flatten().collect();
    let selections: &[&[&str]] = match (unit, arguments.get_flag("integration")) {
        (true, _) => &[UNIT],
        (_, true) => INTEGRATION,
        _ => &[&[]],
    };
    let (mut counts, mut passed) = (Counts::default(), true);
    for selection in selections {
        let mut cargo = shell::cargo();
        cargo.args(["test", "--no-fail-fast"]).args(*selection).args(&given);
        cargo.envs(environment.iter().map(|(name, value)| (name, value)));
        passed &= count(&mut cargo, &mut counts)?;
    }
    say(&format!("{counts} in {} s", started.elapsed().as_secs()));
    if !passed {
        bail!("tests failed; `cargo test` names them above");
    }
    Ok(())
}

/// Builds and installs the programs that tests start, and returns the variables that name them.
fn prepare(slow: bool) -> Result<Vec<(&'static str, OsString)>> {
    setup::ensure()?;
    let workspace = Workspace::load()?;
    build::guests(workspace.guests())?;
    interop::build(&workspace)?;
    // `cargo test` does not build the programs of other packages that tests start.
    build::runtimes(workspace.runtimes(), false)?;
    let mut variables = vec![
        (NATS_SERVER, setup::nats_server()?.into()),
        (S3_SERVER, setup::s3_server()?.into()),
        (CHROMIUM, setup::chromium()?.into()),
        (PROMTOOL, setup::promtool()?.into()),
    ];
    if slow {
        variables.push((SLOW, "1".into()));
    }
    Ok(variables)
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

/// Runs cargo, prints its output as it arrives, and counts. Returns true if cargo succeeds.
fn count(cargo: &mut std::process::Command, counts: &mut Counts) -> Result<bool> {
    eprintln!("$ {}", shell::line(cargo));
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read what cargo test writes")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            counts.add(&line);
        }
    }
    Ok(child.wait()?.success())
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
