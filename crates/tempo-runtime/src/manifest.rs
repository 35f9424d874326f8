//! The manifest of an app: a settings file that declares components.
//!
//! ```toml
//! name = "shop"
//! addr = "127.0.0.1:8080"              # a flag for all components, or of the process
//!
//! [component.api]
//! source = "api.wasm"
//! route = "/api/*"                     # a flag of this component
//! imports = { "acme:pricing/quote" = "pricing" }
//! build = { command = "make", watch = ["src"] }   # for `tempo dev`
//! ```

mod build;
pub(crate) mod cycles;
mod imports;

use std::path::PathBuf;

use tempo_settings::{Error, ErrorKind, Flag, ValueSource};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(crate) use self::build::{BUILD, DeclaredBuild, at_top as build_at_top};
pub(crate) use self::imports::{DeclaredImport, IMPORTS, LinkKind, OnFailure};
use crate::problems::Problems;
use crate::settings_file::{Scope, SettingsParser, Values};

/// The key of the app's name.
pub(crate) const NAME: &str = "name";
/// The key of the components.
pub(crate) const COMPONENT: &str = "component";
/// The key of a component's file.
pub(crate) const SOURCE: &str = "source";

/// Maximum length of a name: that of a label in the domain name system, because names are parts of host names.
const MAX_NAME_BYTES: usize = 63;
/// Maximum number of components.
pub(crate) const MAX_COMPONENTS: usize = 256;
/// The expected form of a name.
const EXPECTED_NAME: &str = "expected 1 to 63 lower-case letters, digits and `-` between them";

/// An app, as its manifest declares it.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// The app's name.
    pub name: String,
    /// The place of the name.
    pub name_source: ValueSource,
    /// The components, by name.
    pub components: Vec<DeclaredComponent>,
}

/// A component, as the manifest declares it.
#[derive(Debug)]
pub(crate) struct DeclaredComponent {
    /// Its name.
    pub name: String,
    /// The line of its declaration.
    pub line: usize,
    /// Its file.
    pub source: PathBuf,
    /// The interfaces that other components export to it.
    pub imports: Vec<DeclaredImport>,
    /// How its file is built.
    pub build: Option<DeclaredBuild>,
    /// The values of its flags.
    pub values: Values,
}

/// Parses `bytes`, the contents of the manifest `path`. Returns the values of `flags` at the top of the file, and the app.
///
/// # Errors
///
/// The file is not TOML in UTF-8, or has problems; the error lists all of them.
pub(crate) fn parse(bytes: &[u8], path: &str, flags: &[&Flag]) -> Result<(Values, Manifest), Error> {
    let parser = SettingsParser::new(bytes, path)?;
    let root = parser.root()?;
    let mut manifest = ManifestParser { parser: &parser, flags, problems: Problems::new(path) };
    let values = parser.table(root.get_ref(), flags, Scope::Top, &mut manifest.problems);
    let app = manifest.app(root.get_ref());
    manifest.problems.into_result()?;
    app.map(|app| (values, app)).ok_or_else(|| Error::new(ErrorKind::BadConfiguration, format!("{path}: no app")))
}

/// Returns whether the settings file `path` declares components.
///
/// # Errors
///
/// The file is not TOML in UTF-8.
pub(crate) fn declares_app(bytes: &[u8], path: &str) -> Result<bool, Error> {
    Ok(SettingsParser::new(bytes, path)?.root()?.get_ref().contains_key(COMPONENT))
}

struct ManifestParser<'a> {
    parser: &'a SettingsParser<'a>,
    flags: &'a [&'a Flag],
    problems: Problems,
}

impl ManifestParser<'_> {
    fn app(&mut self, root: &DeTable<'_>) -> Option<Manifest> {
        let name = match root.get(NAME) {
            Some(value) => self.name(value),
            None => {
                self.problem(0..0, "name: the name of the app is missing; add name = \"NAME\" at the top");
                None
            }
        };
        if let Some(build) = root.get(BUILD) {
            self.problem(build.span(), "build: each component has its own; move it into [component.NAME]");
        }
        let components = self.components(root);
        for (span, problem) in cycles::problems(&components, &declared_names(root)) {
            self.problem(span, &problem);
        }
        let (name, name_source) = name?;
        Some(Manifest { name, name_source, components })
    }

    fn name(&mut self, value: &Spanned<DeValue<'_>>) -> Option<(String, ValueSource)> {
        match value.get_ref() {
            DeValue::String(name) if is_name(name) => Some((name.to_string(), self.parser.source(&value.span()))),
            _ => {
                self.problem(value.span(), &format!("{NAME}: {EXPECTED_NAME}"));
                None
            }
        }
    }

    fn components(&mut self, root: &DeTable<'_>) -> Vec<DeclaredComponent> {
        const FIX: &str = "add [component.NAME] with source = \"FILE\"";
        let declared = match root.get(COMPONENT) {
            None => {
                self.problem(0..0, &format!("the file declares no component; {FIX}"));
                return Vec::new();
            }
            Some(declared) => declared,
        };
        let DeValue::Table(tables) = declared.get_ref() else {
            self.problem(declared.span(), &format!("{COMPONENT}: expected a table for each component; {FIX}"));
            return Vec::new();
        };
        if tables.is_empty() || tables.len() > MAX_COMPONENTS {
            let problem =
                format!("{COMPONENT}: expected 1 to {MAX_COMPONENTS} components, not {}; {FIX}", tables.len());
            self.problem(declared.span(), &problem);
            return Vec::new();
        }
        tables.iter().filter_map(|(name, value)| self.component(name.get_ref(), &name.span(), value)).collect()
    }

    fn component(
        &mut self,
        name: &str,
        span: &std::ops::Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<DeclaredComponent> {
        if !is_name(name) {
            self.problem(span.clone(), &format!("{COMPONENT}: {EXPECTED_NAME} as the name of a component"));
            return None;
        }
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(span.clone(), &format!("{COMPONENT}.{name}: expected a table: [component.{name}]"));
            return None;
        };
        let values = self.parser.table(table, self.flags, Scope::Component, &mut self.problems);
        let imports = self.imports(name, table);
        let build = build::parse(self.parser, &format!("{COMPONENT}.{name}.{BUILD}"), table, &mut self.problems);
        let source = self.file(name, span, table)?;
        let line = self.parser.line(span);
        Some(DeclaredComponent { name: name.to_owned(), line, source, imports, build, values })
    }

    fn file(&mut self, name: &str, span: &std::ops::Range<usize>, table: &DeTable<'_>) -> Option<PathBuf> {
        match table.get(SOURCE) {
            None => {
                self.problem(
                    span.clone(),
                    &format!("{COMPONENT}.{name}: {SOURCE} is missing; add {SOURCE} = \"FILE\""),
                );
                None
            }
            Some(value) => match value.get_ref() {
                DeValue::String(file) if !file.is_empty() => {
                    let file = PathBuf::from(file.as_ref());
                    Some(self.parser.folder().map_or_else(|| file.clone(), |folder| folder.join(&file)))
                }
                _ => {
                    self.problem(value.span(), &format!("{COMPONENT}.{name}.{SOURCE}: expected the path of a file"));
                    None
                }
            },
        }
    }

    fn problem(&mut self, span: std::ops::Range<usize>, problem: &str) {
        self.problems.add(self.parser.line(&span), self.parser.bad(span, problem));
    }
}

/// Returns the names of all components, also of those with mistakes.
fn declared_names<'t>(root: &'t DeTable<'_>) -> Vec<&'t str> {
    match root.get(COMPONENT).map(|declared| declared.get_ref()) {
        Some(DeValue::Table(tables)) => tables.keys().map(|name| name.get_ref().as_ref()).collect(),
        _ => Vec::new(),
    }
}

/// Returns whether `text` is a name: a label of a host name, without upper case.
fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_NAME_BYTES).contains(&text.len())
        && text.bytes().all(is_plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests;
