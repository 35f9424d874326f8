//! The dependencies: licences, duplicates, bans and sources by the rules of `deny.toml`, and known vulnerabilities.

use std::process::Stdio;

use anyhow::Result;

use crate::shell::{self, say};
use crate::{setup, workspace};

/// Exceptions that are no longer needed, which fail as well.
const STALE: &[&str] = &["unmatched-skip", "unnecessary-skip", "license-not-encountered", "unused-wrapper"];

pub(super) fn check() -> Result<()> {
    let program = setup::cargo_deny()?;
    let deny = || {
        let mut command = shell::program(&program);
        command.current_dir(workspace::root());
        command
    };
    let mut check = deny();
    check.args(["--locked", "--log-level", "warn", "check", "--hide-inclusion-graph"]);
    check.args(STALE.iter().flat_map(|lint| ["--deny", lint])).args(["bans", "licenses", "sources"]);
    // The database of vulnerabilities is a git repository on GitHub, which not every machine reaches.
    let fetched = deny().args(["fetch", "db"]).stdout(Stdio::null()).stderr(Stdio::null()).status()?.success();
    if fetched {
        check.arg("advisories");
    } else {
        say("SKIPPED advisories: this machine cannot fetch their database from GitHub");
    }
    shell::run(&mut check)
}
