//! The WIT of components of other languages: that of the crates `wasip2` and `wasip3`, which guests in Rust use too.
//! Cargo provides their paths.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{shell, workspace};

/// `wasi:http` and its dependencies, as WIT files.
pub(super) struct Interfaces {
    /// The version of each package: they are published together.
    pub(super) version: String,
    /// Names and texts of the files.
    pub(super) files: Vec<(String, String)>,
}

/// Returns the interfaces of WASI 0.2 and of 0.3.
pub(super) fn interfaces() -> Result<[Interfaces; 2]> {
    let text = shell::read(shell::cargo().args(["metadata", "--format-version", "1"]))?;
    let json: Value = serde_json::from_str(&text).context("cargo metadata wrote something that is not JSON")?;
    Ok([Interfaces::of(&json, "wasip2")?, Interfaces::of(&json, "wasip3")?])
}

impl Interfaces {
    fn of(metadata: &Value, name: &str) -> Result<Self> {
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let manifest = packages.iter().find(|package| package["name"] == name).map(|package| &package["manifest_path"]);
        let manifest = manifest.and_then(Value::as_str).with_context(|| format!("no guest depends on {name}"))?;
        let directory = Path::new(manifest).with_file_name("wit").join("deps");
        let entries = fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
        let mut files = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path)?));
        }
        files.sort();
        let http = files.iter().find(|(name, _)| name == "http.wit").map(|(_, text)| text.as_str());
        let (package, _) = split(http.context("there is no http.wit")?)?;
        let version = package.strip_prefix("wasi:http@").context("http.wit is not of the package wasi:http")?;
        Ok(Self { version: version.to_owned(), files })
    }

    /// Returns the interfaces under another version, for a tool that requires one: patch releases of 0.2 have the same
    /// `wasi:http`.
    pub(super) fn renamed(&self, version: &str) -> Self {
        // Feature gates contain versions too.
        let rename = |(name, text): &(String, String)| (name.clone(), text.replace(&self.version, version));
        Self { version: version.to_owned(), files: self.files.iter().map(rename).collect() }
    }

    /// Adds packages of this repository: directories below `wit`.
    pub(super) fn with(&self, packages: &[&str]) -> Result<Self> {
        let mut files = self.files.clone();
        for package in packages {
            add_package(&workspace::root().join("wit").join(package), package, &mut files)?;
        }
        Ok(Self { version: self.version.clone(), files })
    }

    /// Writes a directory of WIT with a world `handler` that consists of `items`.
    pub(super) fn write_directory(&self, directory: &Path, items: &str) -> Result<()> {
        let deps = directory.join("deps");
        fs::create_dir_all(&deps)?;
        fs::write(directory.join("world.wit"), world(items))?;
        for (name, text) in &self.files {
            let file = deps.join(name);
            file.parent().map(fs::create_dir_all).transpose()?;
            fs::write(file, text)?;
        }
        Ok(())
    }

    /// Returns everything in one file, for a tool that takes no directory.
    pub(super) fn in_one_file(&self, items: &str) -> Result<String> {
        let mut whole = world(items);
        for (_, text) in &self.files {
            let (package, rest) = split(text)?;
            whole.push_str(&format!("package {package} {{{rest}}}\n"));
        }
        Ok(whole)
    }
}

/// Adds a package's files under `name`, and its dependencies beside it: a nested package cannot contain packages.
fn add_package(directory: &Path, name: &str, files: &mut Vec<(String, String)>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !path.is_dir() {
            files.push((format!("{name}/{file}"), fs::read_to_string(&path)?));
        } else if file == "deps" {
            add_package(&path, name, files)?;
        } else {
            add_package(&path, &format!("{name}-{file}"), files)?;
        }
    }
    Ok(())
}

fn world(items: &str) -> String {
    format!("package tempo:interop;\n\nworld handler {{\n    {items}\n}}\n")
}

/// Returns the package name at the beginning of a file, and the rest.
fn split(text: &str) -> Result<(&str, &str)> {
    match text.strip_prefix("package ").and_then(|text| text.split_once(';')) {
        Some(parts) => Ok(parts),
        None => bail!("a file of WIT does not begin with its package"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces() -> Interfaces {
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let files = vec![file(
            "http.wit",
            "package wasi:http@0.2.12;\n\ninterface types {\n  use wasi:io/poll@0.2.12.{pollable};\n}\n",
        )];
        Interfaces { version: "0.2.12".into(), files }
    }

    #[test]
    fn packages_are_nested_in_one_file() {
        let whole = interfaces().in_one_file("export wasi:http/incoming-handler@0.2.12;").unwrap();
        assert!(whole.starts_with("package tempo:interop;\n\nworld handler {\n    export "), "{whole}");
        assert!(whole.contains("package wasi:http@0.2.12 {\n\ninterface types {"), "{whole}");
    }

    #[test]
    fn a_package_stands_beside_what_it_uses() {
        let files = interfaces().with(&["blobstore-draft"]).unwrap().files;
        let text = |name| files.iter().find(|(file, _)| file == name).map(|(_, text)| text.as_str()).unwrap();
        assert!(text("blobstore-draft/world.wit").contains("package wasi:blobstore@0.2.0-draft;"));
        assert!(text("blobstore-draft-io/io.wit").contains("package wasi:io@"));
        assert!(text("http.wit").starts_with("package wasi:http@"));
    }

    #[test]
    fn every_version_is_renamed() {
        let renamed = interfaces().renamed("0.2.10");
        assert_eq!(renamed.version, "0.2.10");
        assert!(!renamed.files[0].1.contains("0.2.12"), "{}", renamed.files[0].1);
    }
}
