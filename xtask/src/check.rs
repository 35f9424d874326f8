//! `cargo xtask check`: the automatic part of a review. Formatting, lints, docs, and the project's own rules.
//!
//! Every step runs, also after a failed one, so that one run reports everything.

use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::names::TARGET;
use crate::setup;
use crate::shell::{self, say};
use crate::workspace::{self, Workspace};

mod api;
mod crates;
mod deny;
mod layers;
mod layout;
mod links;
mod manifests;
mod map;
mod problems;
mod sources;
mod tree;
mod unstable_types;
mod wit;
mod words;

use problems::Problems;
use tree::Tree;

/// Functions of at most 60 lines: the threshold is in clippy.toml, the lint is off by default.
const LINTS: &[&str] = &["--", "-D", "warnings", "-D", "clippy::too_many_lines"];

/// A step, with its name.
type Step = (&'static str, fn(&Workspace) -> Result<()>);

const STEPS: &[Step] = &[
    ("rules", rules),
    ("deny", |_| deny::check()),
    ("format", format),
    ("lints", host_lints),
    ("guest-lints", guest_lints),
    ("docs", docs),
    ("api", api::check),
];

pub(crate) fn command() -> Command {
    let names = STEPS.iter().map(|(name, _)| *name);
    let steps = Arg::new("steps").value_name("STEP").num_args(0..).value_parser(names.collect::<Vec<_>>());
    let bless = Arg::new("bless").long("bless").action(ArgAction::SetTrue);
    Command::new("check")
        .about("Formatting, lints, docs, and the rules of CONTRIBUTING.md")
        .arg(steps.help("Only these steps; by default all"))
        .arg(bless.help("Writes the listings that the step `api` compares with the crates, and checks nothing"))
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    if arguments.get_flag("bless") {
        return api::bless(&workspace);
    }
    let chosen: Vec<&String> = arguments.get_many("steps").into_iter().flatten().collect();
    let mut failed = Vec::new();
    for (name, step) in STEPS.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|c| c == name)) {
        say(&format!("checking {name}"));
        let started = Instant::now();
        if let Err(error) = step(&workspace) {
            eprintln!("error: {error:#}");
            failed.push(*name);
        }
        say(&format!("checked {name} in {} s", started.elapsed().as_secs()));
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    say("all checks passed");
    Ok(())
}

/// The rules without another tool.
fn rules(workspace: &Workspace) -> Result<()> {
    let tree = Tree::read()?;
    let mut problems = Problems::default();
    layout::check(&tree, &mut problems);
    sources::check(&tree, &mut problems);
    crates::check(&tree, workspace, &mut problems);
    manifests::check(&tree, workspace, &mut problems);
    links::check(&tree, &mut problems);
    map::check(&tree, &mut problems);
    wit::check(&tree, &mut problems);
    words::check(&tree, &mut problems)?;
    unstable_types::check(&tree, &mut problems)?;
    layers::check(&tree, workspace, &mut problems)?;
    problems.into_result()
}

fn format(_: &Workspace) -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--", "--check"]))
}

fn host_lints(_: &Workspace) -> Result<()> {
    shell::run(shell::cargo().args(["clippy", "--keep-going", "--all-targets", "--all-features"]).args(LINTS))
}

fn guest_lints(workspace: &Workspace) -> Result<()> {
    let guests = workspace::select(workspace.guests());
    if guests.is_empty() {
        return Ok(());
    }
    setup::ensure()?;
    shell::run(shell::cargo().args(["clippy", "--keep-going", "--target", TARGET]).args(guests).args(LINTS))
}

fn docs(workspace: &Workspace) -> Result<()> {
    let libraries = workspace::select(workspace.packages.iter().filter(|package| package.library && package.publish));
    let mut doc = shell::cargo();
    doc.args(["doc", "--no-deps", "--all-features"]).args(libraries).env("RUSTDOCFLAGS", "-D warnings");
    shell::run(&mut doc)
}
