//! ARCHITECTURE.md names only what exists: a map that has become wrong is worse than none.

use std::collections::HashSet;

use super::problems::Problems;
use super::tree::Tree;

const MAP: &str = "ARCHITECTURE.md";

/// Endings by which a word is known to be a file.
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
            problems.add(place, format!("no Rust source says `{missing}`"));
        }
    }
}

/// What stands in backticks within a line, with the line's number; blocks of code are not looked into.
fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    let lines = (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.flat_map(|(number, line)| line.split('`').skip(1).step_by(2).map(move |name| (number, name)))
}

/// A path of this project: not a URL, not a WIT name (`wasi:http/types`), not a MIME type or a pattern.
fn is_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_file = FILES.iter().any(|ending| name.ends_with(ending));
    name.chars().all(plain) && !name.starts_with('/') && (name.contains('/') || is_file)
}

/// A path from the root, or the end of one: `service.rs`, `src/lib.rs`.
fn exists(tree: &Tree, path: &str) -> bool {
    let end = format!("/{}", path.trim_end_matches('/'));
    let is_end = |file: &str| file.ends_with(&end) || file.contains(&format!("{end}/"));
    tree.has(path) || tree.files().any(|file| is_end(&file.path))
}

/// The parts of a Rust item's path: a type (`Service`), a macro (`runtime!`), a function (`boot()`), or a path of them.
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
                "ARCHITECTURE.md:2: no Rust source says `Gone`",
                "ARCHITECTURE.md:2: no Rust source says `lost`",
                "ARCHITECTURE.md:6: no Rust source says `Missing`",
            ]
        );
    }
}
