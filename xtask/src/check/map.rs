//! ARCHITECTURE.md names only files and items that exist.

use std::collections::HashSet;

use super::problems::Problems;
use super::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";

/// Extensions that mark a word as a file.
const FILES: &[&str] = &[".rs", ".md", ".toml", ".wit", ".wasm", ".lock"];

pub(super) fn check(tree: &Tree, problems: &mut Problems) {
    let Some(map) = tree.get(MAP) else { return };
    let known = identifiers(tree);
    for (number, name) in names(&map.text) {
        let place = format!("{MAP}:{number}");
        if is_path(name) {
            if !exists(tree, name) {
                problems.add(place, format!("`{name}` does not exist"));
            }
        } else if let Some(missing) = item(name).into_iter().flatten().find(|part| !known.contains(part)) {
            problems.add(place, format!("no Rust source contains `{missing}`"));
        }
    }
}

/// Returns the words in backticks with their line numbers, without those in code blocks.
fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let lines = (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |name| (number, name)))
}

/// Returns true for a path of this project: not a URL, a WIT name (`wasi:http/types`), a MIME type or a pattern.
fn is_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_file = FILES.iter().any(|ending| name.ends_with(ending));
    name.chars().all(plain) && !name.starts_with('/') && (name.contains('/') || is_file)
}

/// Returns true for a path from the root, or the end of one: `service.rs`, `src/lib.rs`.
fn exists(tree: &Tree, path: &str) -> bool {
    let end = format!("/{}", path.trim_end_matches('/'));
    let is_end = |file: &str| file.ends_with(&end) || file.contains(&format!("{end}/"));
    tree.has(path) || tree.files().any(|file| is_end(&file.path))
}

/// Returns the parts of a Rust item's path: a type (`Service`), a macro (`runtime!`), a function (`boot()`), or a path
/// of them.
fn item(name: &str) -> Option<Vec<&str>> {
    let path = name.strip_suffix('!').or_else(|| name.strip_suffix("()")).unwrap_or(name);
    let parts: Vec<&str> = path.split("::").collect();
    let is_identifier = |part: &&str| {
        part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && part.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    let is_type = path.starts_with(|c: char| c.is_ascii_uppercase()) && path.contains(|c: char| c.is_ascii_lowercase());
    let marked = path.len() < name.len() || parts.len() > 1 || is_type;
    (marked && parts.iter().all(is_identifier)).then_some(parts)
}

fn identifiers(tree: &Tree) -> HashSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tree.rust().flat_map(|file| file.text.split(move |c| !is_part(c))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_exists_is_named() {
        let map = "See `crates/a/src/lib.rs`, `crates/a/`, `lib.rs`, `src/gone.rs` and `crates/gone`.\n\
                   `Service`, `Service::provide()`, `a::Gone`, `runtime!`, `lost!`, `wasi:http/types`, `cargo test`.\n\
                   ```text\n`crates/fenced`\n```\n`Missing`\n";
        let tree = Tree::of(&[
            (MAP, map),
            ("crates/a/src/lib.rs", "//! a\ntrait Service { fn provide(); }\nmacro_rules! runtime {}"),
        ]);
        let mut problems = Problems::default();
        check(&tree, &mut problems);
        assert_eq!(
            problems.lines(),
            [
                "ARCHITECTURE.md:1: `src/gone.rs` does not exist",
                "ARCHITECTURE.md:1: `crates/gone` does not exist",
                "ARCHITECTURE.md:2: no Rust source contains `Gone`",
                "ARCHITECTURE.md:2: no Rust source contains `lost`",
                "ARCHITECTURE.md:6: no Rust source contains `Missing`",
            ]
        );
    }
}
