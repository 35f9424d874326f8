//! Rules for packages: a library has a README, and a guest has a test that runs it.

use std::path::Path;

use super::problems::Problems;
use super::tree::Tree;
use crate::workspace::{self, Workspace};

pub(super) fn check(tree: &Tree, workspace: &Workspace, problems: &mut Problems) {
    for package in &workspace.packages {
        let Some(dir) = relative(&package.dir) else { continue };
        if dir.starts_with("crates/") && !tree.has(&format!("{dir}/README.md")) {
            problems.add(&dir, "has no README.md");
        }
        let names = [package.wasm.trim_end_matches(".wasm"), &package.name, package.dir_name()];
        if package.guest && !names.iter().any(|name| is_run(tree, name)) {
            problems.add(&dir, "no file under tests/ names this guest, so no test runs it");
        }
    }
}

/// Returns a package's directory as a path of the tree.
pub(super) fn relative(dir: &Path) -> Option<String> {
    Some(dir.strip_prefix(workspace::root()).ok()?.to_str()?.replace('\\', "/"))
}

/// Returns true if a test names the guest in a string, alone or as a file.
fn is_run(tree: &Tree, guest: &str) -> bool {
    let names = [format!("\"{guest}\""), format!("\"{guest}.wasm\""), format!("/{guest}.wasm\"")];
    // Shared code names every guest, and runs none.
    let other = |path: &str| path.starts_with("tests/guests/") || path.contains("/support/");
    let mut tests = tree.rust().filter(|file| file.path.starts_with("tests/") && !other(&file.path));
    tests.any(|file| names.iter().any(|name| file.text.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_run_by_a_file_that_names_it() {
        let tree = Tree::of(&[
            ("tests/src/hello.rs", "start(\"hello_p2\"); // and \"spin.wasm\""),
            ("tests/guests/trap/src/lib.rs", "\"trap\""),
            ("tests/integration/support/guest.rs", "\"trap\""),
        ]);
        assert!(is_run(&tree, "hello_p2"));
        assert!(is_run(&tree, "spin"));
        assert!(!is_run(&tree, "hello"));
        assert!(!is_run(&tree, "trap"));
    }
}
