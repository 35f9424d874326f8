//! The files of the project: those that git tracks or would add, without build output.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{shell, workspace};

/// A file.
#[derive(Debug)]
pub(super) struct SourceFile {
    /// The path relative to the root, with slashes.
    pub(super) path: String,
    /// The text; empty for a link and for a binary file.
    pub(super) text: String,
}

/// All files, sorted by path.
#[derive(Debug)]
pub(super) struct Tree(Vec<SourceFile>);

impl Tree {
    /// Reads the work tree.
    pub(super) fn read() -> Result<Self> {
        let root = workspace::root();
        let mut git = Command::new("git");
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]).current_dir(&root);
        let list = shell::read(&mut git).context("the checks need git and a clone")?;
        let mut files = Vec::new();
        for path in list.split('\0').filter(|path| !path.is_empty()) {
            // A removed file that is not yet committed is still listed.
            let Ok(metadata) = root.join(path).symlink_metadata() else { continue };
            let text = if metadata.is_file() { text(&root.join(path))? } else { String::new() };
            files.push(SourceFile { path: path.to_owned(), text });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self(files))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self(
            files
                .iter()
                .map(|(path, text)| SourceFile { path: (*path).to_owned(), text: (*text).to_owned() })
                .collect(),
        )
    }

    /// Iterates over all files.
    pub(super) fn files(&self) -> impl Iterator<Item = &SourceFile> {
        self.0.iter()
    }

    /// Iterates over the Rust sources, without the fixtures of trybuild, which contain errors.
    pub(super) fn rust(&self) -> impl Iterator<Item = &SourceFile> {
        self.files().filter(|file| file.path.ends_with(".rs") && !file.path.contains("/tests/ui/"))
    }

    /// Returns true if a file or a directory exists.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below = |file: &SourceFile| {
            file.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.files().any(below)
    }

    /// Returns a file by its path.
    pub(super) fn get(&self, path: &str) -> Option<&SourceFile> {
        self.files().find(|file| file.path == path)
    }
}

fn text(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8(bytes).unwrap_or_default())
}
