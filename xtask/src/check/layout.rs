//! The top level contains the entries that a newcomer needs, and no others. Sibling crates have the same files, so that a
//! reader of one knows the others.

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
    "docs",
    "fuzz",
    "guests",
    "runtimes",
    "rustfmt.toml",
    "tests",
    "wit",
    "xtask",
];

/// Groups of sibling crates, with the files that each of them has in `src`.
const SIBLINGS: &[(&[&str], &[&str])] = &[
    (
        &["keyvalue", "blobstore", "messaging"],
        &["backend.rs", "error.rs", "file.rs", "flag.rs", "memory.rs", "testkit.rs"],
    ),
    (&["wasi-keyvalue", "wasi-blobstore", "wasi-messaging"], &["backends.rs", "bindings.rs", "service.rs"]),
    (&["wasi-config", "wasi-logging", "wasi-otel"], &["backend.rs", "bindings.rs", "service.rs"]),
    (&["sdk-keyvalue", "sdk-blobstore", "sdk-messaging"], &["bindings.rs", "error.rs"]),
];

pub(super) fn check(tree: &Tree, problems: &mut Problems) {
    check_top_level(tree, problems);
    for (crates, files) in SIBLINGS {
        check_siblings(tree, crates, files, problems);
    }
}

/// Checks that each of `crates` has each of `files`.
fn check_siblings(tree: &Tree, crates: &[&str], files: &[&str], problems: &mut Problems) {
    for name in crates.iter().filter(|name| tree.has(&format!("crates/{name}"))) {
        for file in files.iter().filter(|file| !tree.has(&format!("crates/{name}/src/{file}"))) {
            let siblings = crates.join(", ");
            problems.add(format!("crates/{name}"), format!("has no src/{file}, a file that {siblings} have in common"));
        }
    }
}

fn check_top_level(tree: &Tree, problems: &mut Problems) {
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

    #[test]
    fn a_sibling_without_a_common_file_is_found() {
        let siblings = |files: &[(&str, &str)]| {
            let mut problems = Problems::default();
            check_siblings(&Tree::of(files), &["a", "b", "absent"], &["error.rs"], &mut problems);
            problems.lines().to_vec()
        };
        let (a, b) = (("crates/a/src/error.rs", ""), ("crates/b/src/failure.rs", ""));
        assert_eq!(siblings(&[a, b]), ["crates/b: has no src/error.rs, a file that a, b, absent have in common"]);
        assert!(siblings(&[a, ("crates/b/src/error.rs", "")]).is_empty());
    }
}
