//! The public API of each published crate is the one in its `api.txt`, so that a review shows every change of it.
//!
//! rustdoc describes a crate as JSON, and the crate `public-api` makes a list of it. The list has no blanket and no auto
//! trait impls, and of the derived ones only the heads.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use public_api::{Builder, PublicApi};

use crate::shell::{self, say};
use crate::workspace::{self, Package, Workspace};

/// The file of a listing, beside the crate's manifest.
const LISTING: &str = "api.txt";
/// The program that runs rustdoc.
const RUSTDOC: &str = "xtask/rustdoc-json";
/// A diff shows at most so many lines of a crate.
const MAX_DIFF_LINES: usize = 30;

/// Compares the listings with the crates.
pub(super) fn check(workspace: &Workspace) -> Result<()> {
    describe(workspace)?;
    let mut differing = Vec::new();
    for package in published(workspace) {
        let committed = fs::read_to_string(package.dir.join(LISTING)).unwrap_or_default();
        let changes = changes(&committed, &listing(workspace, package)?);
        if !changes.is_empty() {
            eprintln!("{} of {}:", LISTING, package.name);
            changes.iter().take(MAX_DIFF_LINES).for_each(|line| eprintln!("  {line}"));
            let more = changes.len().saturating_sub(MAX_DIFF_LINES);
            if more > 0 {
                eprintln!("  and {more} more");
            }
            differing.push(package.name.as_str());
        }
    }
    if !differing.is_empty() {
        let names = differing.join(", ");
        bail!("the public API of {names} has changed; if that is intended: `cargo xtask check api --bless`");
    }
    Ok(())
}

/// Writes the listings.
pub(super) fn bless(workspace: &Workspace) -> Result<()> {
    describe(workspace)?;
    for package in published(workspace) {
        let (path, listing) = (package.dir.join(LISTING), listing(workspace, package)?);
        if fs::read_to_string(&path).ok().as_ref() != Some(&listing) {
            fs::write(&path, listing).with_context(|| format!("cannot write {}", path.display()))?;
            say(&format!("wrote {}", path.display()));
        }
    }
    Ok(())
}

fn published(workspace: &Workspace) -> impl Iterator<Item = &Package> {
    workspace.packages.iter().filter(|package| package.library && package.publish)
}

/// Runs rustdoc for all crates.
fn describe(workspace: &Workspace) -> Result<()> {
    let mut doc = shell::cargo();
    doc.args(["doc", "--no-deps", "--lib", "--all-features"]).args(workspace::select(published(workspace)));
    doc.env("RUSTDOC", workspace::root().join(RUSTDOC));
    doc.env("RUSTDOCFLAGS", "-Zunstable-options --output-format json --cap-lints allow");
    shell::run(&mut doc)
}

/// Returns the listing of a crate, one item a line.
fn listing(workspace: &Workspace, package: &Package) -> Result<String> {
    let json = workspace.target.join("doc").join(format!("{}.json", package.name.replace('-', "_")));
    let all = items(&json, false)?;
    let written: BTreeSet<String> = items(&json, true)?.into_iter().collect();
    let listed = all.into_iter().filter(|item| written.contains(item) || item.starts_with("impl"));
    let head = format!("# The public API of {}: `cargo xtask check api --bless` writes this file.", package.name);
    Ok([head].into_iter().chain(listed).map(|line| line + "\n").collect())
}

fn items(json: &Path, omit_derived: bool) -> Result<Vec<String>> {
    let api: PublicApi = Builder::from_rustdoc_json(PathBuf::from(json))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(omit_derived)
        .build()
        .with_context(|| format!("cannot read {}: does `public-api` fit this rustc?", json.display()))?;
    Ok(api.items().map(ToString::to_string).collect())
}

/// Returns the lines that only one of two texts has, with a sign.
fn changes(old: &str, new: &str) -> Vec<String> {
    let [old_lines, new_lines] = [old, new].map(|text| text.lines().collect::<BTreeSet<_>>());
    let removed = old.lines().filter(|line| !new_lines.contains(line)).map(|line| format!("- {line}"));
    let added = new.lines().filter(|line| !old_lines.contains(line)).map(|line| format!("+ {line}"));
    removed.chain(added).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_the_lines_of_one_text() {
        assert_eq!(changes("# A\na\nb\n", "# A\nb\nc\n"), ["- a", "+ c"]);
        assert!(changes("a\nb\n", "a\nb\n").is_empty());
    }
}
