//! The files of the project: those that git knows or would take, and nothing of what is built.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{shell, workspace};

/// One file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root, with slashes.
    pub(super) path: String,
    /// What it says; empty for a link and for a file that is not text.
    pub(super) text: String,
}

/// All of them, by path.
#[derive(Debug)]
pub(super) struct Tree(Vec<Source>);

impl Tree {
    /// Reads the work tree.
    pub(super) fn read() -> Result<Self> {
        let root = workspace::root();
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]).current_dir(&root);
        let list = shell::read(&mut git).context("the checks need git and a clone")?;
        let mut files = Vec::new();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // A file that was removed and not yet committed is still listed.
            let Ok(metadata) = root.join(path).symlink_metadata() else { continue };
            let text = if metadata.is_file() { text(&root.join(path))? } else { String::new() };
            files.push(Source { path: path.to_owned(), text });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(files))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| Source { path: (*path).to_owned(), text: (*text).to_owned() }).collect())
    }

    /// All files.
    pub(super) fn files(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    /// The Rust sources. The fixtures of trybuild are not among them: they are wrong on purpose.
    pub(super) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files().filter(|file| file.path.ends_with(".rs") && !file.path.contains("/tests/ui/"))
    }

    /// Whether a file or a directory is there.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below =
            |file: &Source| file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.files().any(below)
    }

    /// A file by its path.
    pub(super) fn get(&self, path: &str) -> Option<&Source> {
        self.files().find(|file| file.path == path)
    }
}

fn text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8(bytes).unwrap_or_default())
}
