//! `cargo xtask build`: the runtimes for this machine, and every guest for wasm32-wasip2.

use anyhow::Result;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::names::TARGET;
use crate::shell::{self, say};
use crate::workspace::{Package, Workspace};
use crate::{setup, workspace};

pub(crate) fn command() -> Command {
    let release = Arg::new("release").long("release").action(ArgAction::SetTrue).help("Optimise the runtimes as well");
    Command::new("build").about("Builds the runtimes and all guests").arg(release)
}

pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    setup::ensure()?;
    let workspace = Workspace::load()?;
    let release = arguments.get_flag("release");
    runtimes(workspace.runtimes(), release)?;
    guests(workspace.guests())?;
    say(&format!("runtimes are in {}", workspace.profile_dir(release).display()));
    say(&format!("guests are in {}", workspace.guest_dir().display()));
    Ok(())
}

/// Builds programs of the host.
///
/// Cargo compiles a dependency once per set of features, and the set depends on the selected packages. So this selects
/// the workspace's default members (all but the guests), and picks the programs from them; `--examples` adds
/// the features of the tests, which also start one of the examples. Then `run`, `build` and `test` share one build of wasmtime; otherwise each
/// would compile it again, for minutes.
pub(crate) fn runtimes<'a>(runtimes: impl Iterator<Item = &'a Package>, release: bool) -> Result<()> {
    let mut cargo = shell::cargo();
    cargo.args(["build", "--examples"]);
    for program in runtimes.flat_map(|runtime| &runtime.programs) {
        cargo.args(["--bin", program]);
    }
    if release {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)
}

/// Builds guests in a profile for small size. They are always optimized: an unoptimized component is several times
/// larger and slower.
///
/// Cargo compiles a crate once for all packages of a command, with the features of all of them. So guests with telemetry are
/// built separately, and so are those that spawn no tasks: every guest would contain both, at a cost for each request.
pub(crate) fn guests<'a>(guests: impl Iterator<Item = &'a Package>) -> Result<()> {
    let (with_telemetry, without): (Vec<_>, Vec<_>) = guests.partition(|guest| has_telemetry(guest));
    let (with_tasks, without): (Vec<_>, Vec<_>) = without.into_iter().partition(|guest| has_tasks(guest));
    for guests in [without, with_tasks, with_telemetry] {
        let selected = workspace::select(guests.into_iter());
        if !selected.is_empty() {
            let mut cargo = shell::cargo();
            shell::run(cargo.args(["build", "--profile", "guest", "--target", TARGET]).args(selected))?;
        }
    }
    Ok(())
}

fn has_telemetry(guest: &Package) -> bool {
    guest.dependencies.iter().any(|name| name == "tempo-sdk-otel")
}

/// Returns whether a crate of the guest spawns tasks: the SDK does.
fn has_tasks(guest: &Package) -> bool {
    guest.spawns_tasks || guest.dependencies.iter().any(|name| name.starts_with("tempo-sdk-"))
}
