//! `CargoWorkspace`: the members of an app's Cargo workspace.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempo_settings::{Error, ErrorKind};
use toml_edit::{Array, DocumentMut, Item, Value};

use crate::manifest;
use crate::name::ProjectName;
use crate::new_files::cannot_write;

/// A workspace with a further member, before it is written.
#[derive(Debug)]
pub(crate) struct CargoWorkspace {
    path: PathBuf,
    before: String,
    after: String,
}

impl CargoWorkspace {
    /// Reads the `Cargo.toml` in `folder`, and adds the member `name`. Returns `None` if there is no workspace.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is not TOML, or its list of members is not an array.
    pub(crate) fn with_member(folder: &Path, name: &ProjectName) -> Result<Option<Self>, Error> {
        let path = folder.join("Cargo.toml");
        let Some(before) = manifest::read(&path)? else { return Ok(None) };
        let mut document = manifest::parse(&path, &before)?.into_mut();
        if !document.contains_key("workspace") {
            return Ok(None);
        }
        add_member(&mut document, name).ok_or_else(|| {
            let message = format!("{}: `workspace.members` is not an array", path.display());
            Error::new(ErrorKind::BadConfiguration, message)
        })?;
        Ok(Some(Self { path, before, after: document.to_string() }))
    }

    /// Writes the file.
    ///
    /// # Errors
    ///
    /// The system refuses; the file is unchanged then.
    pub(crate) fn write(&self) -> Result<(), Error> {
        replace(&self.path, &self.after).map_err(|error| cannot_write(&self.path, error))
    }

    /// Writes the earlier text again.
    pub(crate) fn restore(&self) {
        // The error that is returned names the cause.
        let _ = replace(&self.path, &self.before);
    }
}

/// Adds `name` to the members, unless they have it. Returns `None` if they are not an array.
fn add_member(document: &mut DocumentMut, name: &ProjectName) -> Option<()> {
    let workspace = document.get_mut("workspace").and_then(Item::as_table_like_mut)?;
    let members = workspace.entry("members").or_insert(Item::Value(Value::Array(Array::new()))).as_array_mut()?;
    let is_there = |member: &Value| member.as_str().is_some_and(|member| member == name.as_str() || member == "*");
    if !members.iter().any(is_there) {
        // In a list of one item a line, the new one has its own line too. A comment belongs to the item before it.
        let last = members.iter().last().and_then(|last| last.decor().prefix()).and_then(|prefix| prefix.as_str());
        let prefix = last.and_then(|prefix| prefix.rsplit_once('\n')).map(|(_, indent)| format!("\n{indent}"));
        let mut member = Value::from(name.as_str());
        match prefix {
            Some(prefix) => {
                member.decor_mut().set_prefix(prefix);
                members.push_formatted(member);
            }
            None => members.push(member),
        }
    }
    Some(())
}

/// Replaces the text of the file `path` at once.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one.
    let path = fs::canonicalize(path)?;
    let new = path.with_extension(format!("toml.{}.new", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn with_member(text: &str) -> Result<Option<String>, Error> {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("Cargo.toml"), text).unwrap();
        let name = ProjectName::parse("pricing").unwrap();
        let Some(workspace) = CargoWorkspace::with_member(directory.path(), &name)? else { return Ok(None) };
        workspace.write()?;
        let written = fs::read_to_string(&workspace.path).unwrap();
        workspace.restore();
        assert_eq!(fs::read_to_string(&workspace.path).unwrap(), text);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no file beside it");
        Ok(Some(written))
    }

    #[test]
    fn a_member_is_added_and_nothing_else_changes() {
        for (before, after) in [
            ("[workspace]\n", "[workspace]\nmembers = [\"pricing\"]\n"),
            (
                "# a\n[workspace] # b\nmembers = [\"api\"] # c\n",
                "# a\n[workspace] # b\nmembers = [\"api\", \"pricing\"] # c\n",
            ),
            (
                "[workspace]\nmembers = [\n    \"api\", # d\n    \"auth\",\n]\nresolver = \"3\"\n",
                "[workspace]\nmembers = [\n    \"api\", # d\n    \"auth\",\n    \"pricing\",\n]\nresolver = \"3\"\n",
            ),
            ("[workspace]\nmembers = [\"*\"]\n", "[workspace]\nmembers = [\"*\"]\n"),
            ("[workspace]\nmembers = ['pricing']\n", "[workspace]\nmembers = ['pricing']\n"),
            ("workspace = {}\n", "workspace = { members = [\"pricing\"] }\n"),
        ] {
            assert_eq!(with_member(before).unwrap().as_deref(), Some(after));
        }
    }

    #[test]
    fn a_package_alone_is_no_workspace() {
        assert_eq!(with_member("[package]\nname = \"a\"\n"), Ok(None));
        let nowhere = TempDir::new().unwrap();
        assert!(CargoWorkspace::with_member(nowhere.path(), &ProjectName::parse("a").unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_file_that_cargo_would_refuse() {
        assert!(with_member("[workspace]\nmembers = 1\n").unwrap_err().to_string().contains("is not an array"));
        assert!(with_member("a = 1\n[workspace\n").unwrap_err().to_string().contains("Cargo.toml:2:11)"));
    }
}
