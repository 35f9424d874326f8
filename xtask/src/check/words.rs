//! The words of comments, docs and names: `xtask/words.toml` lists those that the project does not use, with the reasons.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::problems::Problems;
use super::tree::Tree;

/// The data of this rule.
const DATA: &str = "xtask/words.toml";

/// Documents that keep the words of their time.
const HISTORY: &[&str] = &["CHANGELOG.md"];

/// The rule's data, parsed.
struct Words {
    /// Prefixes of paths that are not checked yet.
    pending: Vec<String>,
    /// Words that texts must not contain, in lower case, with the reason.
    words: Vec<(String, String)>,
    /// Names that types must not have, with the reason.
    types: Vec<(String, String)>,
}

/// Checks the texts of all Rust sources and Markdown files.
pub(super) fn check(tree: &Tree, problems: &mut Problems) -> Result<()> {
    let Some(data) = tree.get(DATA) else { return Ok(()) };
    let words = Words::parse(&data.text).with_context(|| format!("cannot read {DATA}"))?;
    for path in words.pending.iter().filter(|path| !tree.has(path)) {
        problems.add(DATA, format!("`pending` names {path}, which does not exist"));
    }
    let is_pending = |path: &str| words.pending.iter().any(|pending| path.starts_with(pending.as_str()));
    for file in tree.rust().filter(|file| !is_pending(&file.path)) {
        words.check_rust(&file.path, &file.text, problems);
    }
    let is_document = |path: &str| path.ends_with(".md") && !HISTORY.contains(&path) && !is_pending(path);
    for file in tree.files().filter(|file| is_document(&file.path)) {
        words.check_markdown(&file.path, &file.text, problems);
    }
    Ok(())
}

impl Words {
    fn parse(text: &str) -> Result<Self> {
        let data: Table = text.parse()?;
        let pending = data.get("pending").and_then(Value::as_array).context("`pending` is not a list")?;
        let pending = pending.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { pending, words: entries(&data, "word", "word")?, types: entries(&data, "type", "name")? })
    }

    fn check_rust(&self, path: &str, text: &str, problems: &mut Problems) {
        // The first line of the current `///` block, with its number.
        let mut doc: Option<(usize, &str)> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let place = format!("{path}:{number}");
            self.check_text(&place, comment(line).unwrap_or_default(), problems);
            self.check_type(&place, line, problems);
            let code = line.trim_start();
            if let Some(text) = code.strip_prefix("///") {
                doc.get_or_insert((number, text.trim()));
            } else if !code.starts_with("#[") {
                if let Some((number, text)) = doc.take_if(|_| code.starts_with("pub "))
                    && text.starts_with("What ")
                {
                    let reason = "a public item's docs begin with `What`: say what the item is or does";
                    problems.add(format!("{path}:{number}"), reason);
                }
                doc = None;
            }
        }
    }

    fn check_markdown(&self, path: &str, text: &str, problems: &mut Problems) {
        let mut is_code = false;
        for (number, line) in (1..).zip(text.lines()) {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            if !is_code && !is_fence {
                self.check_text(&format!("{path}:{number}"), line, problems);
            }
        }
    }

    fn check_text(&self, place: &str, text: &str, problems: &mut Problems) {
        // Every second part is between backticks.
        let prose = text.split('`').step_by(2).collect::<Vec<_>>().join(" ").to_lowercase();
        for (word, reason) in self.words.iter().filter(|(word, _)| super::sources::has_word(&prose, word)) {
            problems.add(place, format!("`{word}`: {reason}"));
        }
    }

    fn check_type(&self, place: &str, line: &str, problems: &mut Problems) {
        let Some(declared) = declared_type(line) else { return };
        for (name, reason) in self.types.iter().filter(|(name, _)| name == declared) {
            problems.add(place, format!("a type is called `{name}`: {reason}"));
        }
    }
}

/// Returns the entries of an array of tables, each with its reason.
fn entries(data: &Table, array: &str, key: &str) -> Result<Vec<(String, String)>> {
    let list = data.get(array).and_then(Value::as_array).with_context(|| format!("there is no [[{array}]]"))?;
    let entry = |entry: &Value| {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = field(key).with_context(|| format!("a [[{array}]] has no `{key}`"))?;
        let reason = field("reason").with_context(|| format!("{text} has no `reason`"))?;
        Ok((text.to_owned(), reason.to_owned()))
    };
    list.iter().map(entry).collect()
}

/// Returns the comment of a line, if it has one. A `//` inside of a string is none: an odd number of quotes precedes it.
fn comment(line: &str) -> Option<&str> {
    if line.trim_start().starts_with("//") {
        return Some(line);
    }
    let (at, _) = line.match_indices(" // ").find(|(at, _)| {
        let before = line.get(..*at).unwrap_or_default().replace("\\\"", "").replace("'\"'", "");
        before.matches('"').count() % 2 == 0
    })?;
    line.get(at..)
}

/// Returns the name of the type that a line declares, if it declares one.
fn declared_type(line: &str) -> Option<&str> {
    let mut tokens = line.split_whitespace().skip_while(|token| token.starts_with("pub") || token.ends_with(')'));
    if !["struct", "enum", "trait", "type", "union"].contains(&tokens.next()?) {
        return None;
    }
    tokens.next()?.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "pending = [\"crates/old\"]\n\
        [[word]]\nword = \"told\"\nreason = \"name the component\"\n\
        [[type]]\nname = \"Room\"\nreason = \"it is a budget\"\n";

    fn problems(path: &str, text: &str) -> Vec<String> {
        let mut problems = Problems::default();
        let files = [(DATA, WORDS), ("crates/old/src/lib.rs", "//! It is told.\n"), (path, text)];
        check(&Tree::of(&files), &mut problems).unwrap();
        problems.lines().to_vec()
    }

    #[test]
    fn words_are_found_in_comments_and_documents() {
        for (path, text, line) in [
            ("crates/a/src/b.rs", "//! A.\n\n/// It is Told.\nstruct B;\n", 3),
            ("crates/a/src/b.rs", "//! A.\nlet b = \"x\"; // it was told\n", 2),
            ("README.md", "# A\n\n```sh\ntold\n```\nIt is told.\n", 6),
        ] {
            assert_eq!(problems(path, text), [format!("{path}:{line}: `told`: name the component")]);
        }
    }

    #[test]
    fn strings_code_and_longer_words_are_not_checked() {
        let code = "//! `told` and retold.\nlet told = \"a // told\";\nlet b = \" // told\";\n";
        assert!(problems("crates/a/src/b.rs", code).is_empty());
        assert!(problems("A.md", "The word `told`.\n").is_empty());
        assert!(problems("CHANGELOG.md", "It was told.\n").is_empty());
        assert!(problems("crates/old/src/b.rs", "//! It is told.\ntype Room = ();\n").is_empty());
    }

    #[test]
    fn types_have_names_of_the_field() {
        let found = ["crates/a/src/b.rs:2: a type is called `Room`: it is a budget"];
        for declaration in
            ["struct Room(usize);", "pub(crate) enum Room<T> {", "    type Room: Send;", "pub trait Room {"]
        {
            assert_eq!(problems("crates/a/src/b.rs", &format!("//! A.\n{declaration}\n")), found);
        }
        assert!(problems("crates/a/src/b.rs", "//! A.\nstruct RoomBudget;\nlet room = Room::new();\n").is_empty());
    }

    #[test]
    fn docs_of_public_items_do_not_begin_with_what() {
        let found = |text: &str| problems("crates/a/src/b.rs", text).len();
        assert_eq!(found("//! A.\n/// What it is.\n/// More.\n#[derive(Debug)]\npub struct B;\n"), 1);
        assert_eq!(found("//! A.\n    /// What it is.\n    pub size: u64,\n"), 1);
        assert_eq!(found("//! A.\n/// The size.\n/// What it is.\npub struct B;\n"), 0);
        assert_eq!(found("//! A.\n/// What it is.\npub(crate) struct B;\n/// A.\npub struct C;\n"), 0);
    }

    #[test]
    fn the_data_is_complete() {
        let missing = WORDS.replace("reason = \"name the component\"\n", "");
        let mut found = Problems::default();
        assert!(check(&Tree::of(&[(DATA, &missing)]), &mut found).is_err());
        check(&Tree::of(&[(DATA, WORDS)]), &mut found).unwrap();
        assert_eq!(found.lines(), ["xtask/words.toml: `pending` names crates/old, which does not exist"]);
    }
}
