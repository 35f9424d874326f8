//! The top level contains the entries that a newcomer needs, and no others.

use super::problems::Problems;
use super::tree::Tree;

/// The entries, without dot files.
const ENTRIES: &[&str] = &[
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "crates",
    "deny.toml",
    "guests",
    "runtimes",
    "rustfmt.toml",
    "tests",
    "wit",
    "xtask",
];

pub(super) fn check(tree: &Tree, problems: &mut Problems) {
    for entry in ENTRIES {
        if !tree.has(entry) {
            problems.add(entry, "is missing at the top level");
        }
    }
    let mut found: Vec<_> = tree.files().filter_map(|file| file.path.split('/').next()).collect();
    found.dedup();
    for entry in found {
        if !ENTRIES.contains(&entry) && !entry.starts_with('.') {
            problems.add(entry, "does not belong at the top level");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_and_a_missing_entry_are_found() {
        let mut files: Vec<_> =
            ENTRIES.iter().filter(|entry| **entry != "README.md").map(|entry| (*entry, "")).collect();
        files.extend([(".ci/run", ""), ("notes/todo.txt", ""), ("notes/x", "")]);
        let mut problems = Problems::default();
        check(&Tree::of(&files), &mut problems);
        assert_eq!(
            problems.lines(),
            ["README.md: is missing at the top level", "notes: does not belong at the top level"]
        );
    }
}
