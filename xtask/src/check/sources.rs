//! Rules for each Rust source: its first line, its length, and no unfinished code.

use super::problems::Problems;
use super::tree::{SourceFile, Tree};

/// The maximum number of lines of a file.
const MAX_FILE_LINES: usize = 400;

/// The maximum number of lines of `lib.rs`, a table of contents.
const MAX_LIB_LINES: usize = 100;

/// The alternative to a `//!` line in a library.
const README_ATTRIBUTE: &str = "#![doc = include_str!(\"../README.md\")]";

/// Marks of unfinished code. Concatenated, so that the check does not find this file.
const UNFINISHED_MARKS: &[&str] = &[
    concat!("to", "do!"),
    concat!("unimple", "mented!"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

pub(super) fn check(tree: &Tree, problems: &mut Problems) {
    for file in tree.rust() {
        check_file(file, problems);
    }
}

fn check_file(file: &SourceFile, problems: &mut Problems) {
    // A library may take its documentation from its README.
    if !file.text.starts_with("//!") && !file.text.starts_with(README_ATTRIBUTE) {
        problems.add(&file.path, "the first line is not `//!` documentation of the file");
    }
    let lines = file.text.lines().count();
    if lines > MAX_FILE_LINES {
        problems.add(&file.path, format!("{lines} lines; at most {MAX_FILE_LINES}"));
    }
    // A guest is one short file, its lib.rs.
    let guest = file.path.starts_with("guests/") || file.path.starts_with("tests/guests/");
    if file.path.ends_with("/lib.rs") && !guest && lines > MAX_LIB_LINES {
        problems.add(&file.path, format!("{lines} lines; a table of contents has at most {MAX_LIB_LINES}"));
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        for mark in UNFINISHED_MARKS.iter().filter(|mark| has_word(line, mark)) {
            problems.add(format!("{}:{number}", file.path), format!("unfinished ({mark})"));
        }
    }
}

/// Returns true if `word` occurs in `text` as a whole word.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Problems::default();
        check(&Tree::of(&[(path, text)]), &mut problems);
        problems.lines().to_vec()
    }

    #[test]
    fn a_file_says_what_it_is_for() {
        assert_eq!(problems("crates/a/src/b.rs", "//! Good.\n"), Vec::<String>::new());
        assert_eq!(problems("crates/a/src/lib.rs", &format!("{README_ATTRIBUTE}\n\nmod b;\n")), Vec::<String>::new());
        assert_eq!(problems("crates/a/src/b.rs", "use x;\n").len(), 1);
        assert_eq!(problems("crates/a/tests/ui/wrong.rs", "use x;\n"), Vec::<String>::new());
    }

    #[test]
    fn files_are_short() {
        let text = |lines: usize| format!("//! Good.{}", "\n//".repeat(lines - 1));
        assert!(problems("crates/a/src/b.rs", &text(400)).is_empty());
        assert_eq!(problems("crates/a/src/b.rs", &text(401)), ["crates/a/src/b.rs: 401 lines; at most 400"]);
        assert!(problems("crates/a/src/lib.rs", &text(100)).is_empty());
        assert_eq!(problems("crates/a/src/lib.rs", &text(101)).len(), 1);
        assert!(problems("guests/a/src/lib.rs", &text(101)).is_empty());
    }

    #[test]
    fn unfinished_places_are_found() {
        for mark in UNFINISHED_MARKS {
            let found = problems("crates/a/src/b.rs", &format!("//! Good.\n\n// {mark} later\n"));
            assert_eq!(found, [format!("crates/a/src/b.rs:3: unfinished ({mark})")]);
            assert!(
                problems("crates/a/src/b.rs", &format!("//! Good.\n// {}_OF\n", mark.trim_end_matches('!'))).is_empty()
            );
        }
    }
}
