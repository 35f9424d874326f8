//! Links between the project's documents have a target.

use super::problems::Problems;
use super::tree::{SourceFile, Tree};

pub(super) fn check(tree: &Tree, problems: &mut Problems) {
    for file in tree.files().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in (1..).zip(file.text.lines()) {
            for link in links(line).filter(|link| !has_target(tree, file, link)) {
                problems.add(format!("{}:{number}", file.path), format!("the link to {link} has no target"));
            }
        }
    }
}

/// Returns the targets of `[text](target)` that are files.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = targets.map(|target| target.split('#').next().unwrap_or(target));
    paths.filter(|path| !path.is_empty() && !path.contains(':') && !path.contains(' '))
}

fn has_target(tree: &Tree, from: &SourceFile, link: &str) -> bool {
    let mut parts: Vec<&str> = from.path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.pop().is_none() => return false,
            ".." => {}
            part => parts.push(part),
        }
    }
    parts.is_empty() || tree.has(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_target_is_found() {
        let text =
            "[a](../b/README.md#part) [b](https://example.com/x) [c](gone.md) [d](#here) [e](..) [f](../../../x)";
        let tree = Tree::of(&[("crates/a/README.md", text), ("crates/b/README.md", "")]);
        let mut problems = Problems::default();
        check(&tree, &mut problems);
        assert_eq!(
            problems.lines(),
            [
                "crates/a/README.md:1: the link to gone.md has no target",
                "crates/a/README.md:1: the link to ../../../x has no target",
            ]
        );
    }
}
