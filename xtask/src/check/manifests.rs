//! Rules for the manifests of published crates: what crates.io needs for its search, and docs.rs for complete pages.

use toml::{Table, Value};

use super::crates::relative;
use super::problems::Problems;
use super::tree::{SourceFile, Tree};
use crate::workspace::Workspace;

/// crates.io accepts at most so many keywords, and so many categories.
const MAX_TERMS: usize = 5;
/// The maximum length of a keyword on crates.io.
const MAX_KEYWORD_CHARS: usize = 20;
/// The attribute with which rustdoc shows the feature that an item needs.
const FEATURES_IN_DOCS: &str = "#![cfg_attr(docsrs, feature(doc_cfg))]";

pub(super) fn check(tree: &Tree, workspace: &Workspace, problems: &mut Problems) {
    for package in workspace.packages.iter().filter(|package| package.publish) {
        let Some(dir) = relative(&package.dir) else { continue };
        let Some(manifest) = tree.get(&format!("{dir}/Cargo.toml")) else { continue };
        check_manifest(manifest, tree.get(&format!("{dir}/src/lib.rs")), problems);
    }
}

fn check_manifest(manifest: &SourceFile, library: Option<&SourceFile>, problems: &mut Problems) {
    let table: Table = match manifest.text.parse() {
        Ok(table) => table,
        Err(error) => return problems.add(&manifest.path, error),
    };
    let package = table.get("package");
    for (key, valid) in [("keywords", is_keyword as fn(&str) -> bool), ("categories", |_: &str| true)] {
        let terms = package.and_then(|package| package.get(key)).and_then(Value::as_array);
        let terms = terms.map(Vec::as_slice).unwrap_or_default();
        let valid = terms.iter().all(|term| term.as_str().is_some_and(valid));
        if terms.is_empty() || terms.len() > MAX_TERMS || !valid {
            problems.add(&manifest.path, format!("a published crate has 1 to {MAX_TERMS} valid `{key}`"));
        }
    }
    let docs = package.and_then(|package| package.get("metadata")?.get("docs")?.get("rs"));
    if docs.and_then(|docs| docs.get("all-features")).and_then(Value::as_bool) != Some(true) {
        problems.add(&manifest.path, "has no `all-features = true` in `[package.metadata.docs.rs]`");
    }
    if table.contains_key("features") {
        let arguments = docs.and_then(|docs| docs.get("rustdoc-args")).and_then(Value::as_array);
        if !arguments.is_some_and(|arguments| arguments.iter().any(|argument| argument.as_str() == Some("docsrs"))) {
            problems.add(&manifest.path, "has features, and no `--cfg docsrs` in `[package.metadata.docs.rs]`");
        }
        if let Some(library) = library.filter(|library| !library.text.contains(FEATURES_IN_DOCS)) {
            problems.add(&library.path, format!("has features, and no `{FEATURES_IN_DOCS}`"));
        }
    }
}

fn is_keyword(word: &str) -> bool {
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
    word.starts_with(|c: char| c.is_ascii_alphanumeric()) && word.len() <= MAX_KEYWORD_CHARS && word.chars().all(valid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(manifest: &str, library: &str) -> Vec<String> {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let mut problems = Problems::default();
        check_manifest(&file("a/Cargo.toml", manifest), Some(&file("a/src/lib.rs", library)), &mut problems);
        problems.lines().to_vec()
    }

    const COMPLETE: &str = "[package]\nkeywords = ['wasi']\ncategories = ['wasm']\n\
                            [package.metadata.docs.rs]\nall-features = true\n";

    #[test]
    fn a_complete_manifest_has_no_problem() {
        assert_eq!(problems(COMPLETE, ""), Vec::<String>::new());
        let features = format!("{COMPLETE}rustdoc-args = ['--cfg', 'docsrs']\n[features]\na = []\n");
        assert_eq!(problems(&features, FEATURES_IN_DOCS), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_invalid_is_found() {
        assert_eq!(problems("[package]", "").len(), 3);
        for bad in ["['a', 'b', 'c', 'd', 'e', 'f']", "['two words']", "['a-keyword-of-21-chars']"] {
            let found = problems(&COMPLETE.replace("['wasi']", bad), "");
            assert_eq!(found, ["a/Cargo.toml: a published crate has 1 to 5 valid `keywords`"], "{bad}");
        }
        assert_eq!(problems(&format!("{COMPLETE}[features]\na = []\n"), "").len(), 2);
    }
}
