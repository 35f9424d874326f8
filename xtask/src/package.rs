//! `cargo xtask package`: packs every published crate, and builds it from its own tarball.

use anyhow::{Result, bail};
use clap::{ArgMatches, Command};

use crate::shell::{self, say};
use crate::workspace::{self, Workspace};

pub(crate) fn command() -> Command {
    Command::new("package").about("Packs every publishable crate and builds it from its tarball")
}

pub(crate) fn run(_: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let selected = workspace::select(workspace.packages.iter().filter(|package| package.publish));
    if selected.is_empty() {
        bail!("no package of the workspace may be published");
    }
    // In one call, cargo resolves the crates to each other's tarballs although none of them is on crates.io yet.
    // Uncommitted changes are included: this is a test, not a release.
    shell::run(shell::cargo().args(["package", "--allow-dirty"]).args(selected))?;
    say(&format!("the tarballs are in {}", workspace.target.join("package").display()));
    Ok(())
}
