//! The manifest of an app, `tempo.toml`: a new one, and a component that is added to one.

mod ties;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempo_settings::{Error, ErrorKind, TextPosition};
use toml_edit::{Document, Item, TableLike};

use crate::commands::Commands;
use crate::name::ProjectName;
use crate::new_files::cannot_write;
use crate::project::{Place, Project};
use crate::template::CalledBy;

/// The name of the file.
pub(crate) const MANIFEST: &str = "tempo.toml";

/// Maximum size of a manifest, and of a `Cargo.toml`.
const MAX_MANIFEST_BYTES: u64 = 1 << 20;

/// The beginning of a new manifest, without the name.
const HEAD: &str = "\
# An app and its components. Every flag of `tempo run` is a setting here: at the top for all components, in a table
# `[component.NAME]` for one.
";

/// Returns the manifest of a project of one component, or `None` if no app can declare it.
pub(crate) fn of_project(project: &Project<'_>) -> Option<String> {
    let name = project.name;
    project.is_declared().then(|| format!("{HEAD}name = \"{name}\"\n\n{}", table(project)))
}

/// Returns the table of a component.
fn table(project: &Project<'_>) -> String {
    let name = project.name;
    let mut table = format!("[component.{name}]\nsource = \"{}\"\n", project.source());
    match (project.template.called_by(), project.place) {
        (CalledBy::Requests, Place::Alone) => table += "route = [\"/*\"]\n",
        (CalledBy::Requests, Place::App { .. }) => table += &format!("route = [\"{}\"]\n", route(name)),
        (CalledBy::Messages, _) => table += &format!("subscribe = [\"{name}.>\"]\n"),
        (CalledBy::Component | CalledBy::Operator, _) => {}
    }
    // `tempo dev` knows the command of Cargo.
    if !project.template.is_rust() {
        let command = Commands::of(project).build;
        let dir = if project.place == Place::Alone { String::new() } else { format!(", dir = \"{name}\"") };
        table += &format!("build = {{ command = \"{command}\"{dir} }}\n");
    }
    table
}

/// Returns the route of a component that is added to an app.
fn route(name: &ProjectName) -> String {
    format!("/{name}/*")
}

/// An app's manifest, to which components can be added.
#[derive(Debug)]
pub(crate) struct Manifest {
    path: PathBuf,
    text: String,
}

impl Manifest {
    /// Reads the manifest in `folder`.
    ///
    /// # Errors
    ///
    /// There is none, it is not TOML, or not that of an app.
    pub(crate) fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(MANIFEST);
        let Some(text) = read(&path)? else {
            let message = format!("there is no {}", path.display());
            let advice = "change to the folder of an app, or create one with `tempo new`";
            return Err(Error::new(ErrorKind::NotFound, message).with_advice(advice));
        };
        let manifest = Self { path, text };
        match manifest.parse(&manifest.text)?.get("name") {
            Some(name) if name.is_str() => Ok(manifest),
            _ => Err(manifest.bad("no app: it has no `name`").with_advice("add name = \"NAME\" at the top")),
        }
    }

    /// Checks that it declares no component `name`.
    ///
    /// # Errors
    ///
    /// It declares one; the kind is [`CannotWrite`](ErrorKind::CannotWrite).
    pub(crate) fn check_absent(&self, name: &ProjectName) -> Result<(), Error> {
        let document = self.parse(&self.text)?;
        if components(&document).is_none_or(|components| components.get(name.as_str()).is_none()) {
            return Ok(());
        }
        let message = format!("cannot add {name}: {} declares a component {name}", self.path.display());
        Err(Error::new(ErrorKind::CannotWrite, message).with_advice("choose another name"))
    }

    /// Appends the table of a component to the file. What the file contains stays as it is.
    ///
    /// # Errors
    ///
    /// The file cannot be written, has no place for a table, or has the same route already; it is unchanged then.
    pub(crate) fn add(&self, project: &Project<'_>) -> Result<(), Error> {
        if matches!(project.template.called_by(), CalledBy::Requests) {
            let route = route(project.name);
            if let Some(owner) = ties::owner_of(&route, &self.parse(&self.text)?) {
                let message = format!("cannot add {}: its route {route} ties with one of {owner}", project.name);
                return Err(Error::new(ErrorKind::CannotWrite, message).with_advice("choose another name"));
            }
        }
        let newline = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let end = if self.text.is_empty() || self.text.ends_with('\n') { "" } else { newline };
        let added = format!("{end}{newline}{}", table(project).replace('\n', newline));
        // A key `component = { .. }` admits no table.
        let document = self.parse(&format!("{}{added}", self.text)).ok();
        let is_there =
            document.as_ref().and_then(components).is_some_and(|all| all.get(project.name.as_str()).is_some());
        if !is_there {
            let problem = format!("it has no place for a table [component.{}]", project.name);
            return Err(self.bad(&problem).with_advice("write its components as tables"));
        }
        self.append(added.as_bytes()).map_err(|error| cannot_write(&self.path, error))
    }

    fn append(&self, added: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.path)?;
        let length = file.metadata()?.len();
        file.write_all(added).inspect_err(|_| {
            // The disk may be full: leave no half of a table.
            let _ = file.set_len(length);
        })
    }

    fn parse(&self, text: &str) -> Result<Document<String>, Error> {
        parse(&self.path, text)
    }

    fn bad(&self, problem: &str) -> Error {
        Error::new(ErrorKind::BadConfiguration, format!("{}: {problem}", self.path.display()))
    }
}

/// Returns the table `component`.
fn components(document: &Document<String>) -> Option<&dyn TableLike> {
    document.get("component").and_then(Item::as_table_like)
}

/// Reads a file of TOML, or returns `None` if there is none.
///
/// # Errors
///
/// It cannot be read, is too large, or is not UTF-8.
pub(crate) fn read(path: &Path) -> Result<Option<String>, Error> {
    let cannot_read = |error: io::Error| {
        Error::new(ErrorKind::NotFound, format!("cannot read {}", path.display())).with_source(error)
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_MANIFEST_BYTES + 1).read_to_end(&mut bytes).map_err(cannot_read)?;
    let bad = |problem| Error::new(ErrorKind::BadConfiguration, format!("{}: {problem}", path.display()));
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_MANIFEST_BYTES) {
        return Err(bad("larger than 1 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| bad("not UTF-8; save the file as UTF-8"))
}

/// Parses the text of the file `path`.
///
/// # Errors
///
/// It is not TOML; the error names the line.
pub(crate) fn parse(path: &Path, text: &str) -> Result<Document<String>, Error> {
    // The byte order mark of an editor is not part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Document::parse(text.to_owned()).map_err(|error| {
        let (path, message) = (path.display(), error.message());
        let position = TextPosition::of(text, error.span().unwrap_or_default().start);
        Error::new(ErrorKind::BadConfiguration, format!("not valid TOML: {message} ({path}:{position})"))
    })
}

#[cfg(test)]
mod tests;
