//! The settings of a command, merged from the command line, the environment, the environment file and the settings file, in
//! this order of precedence. Those of an app's component come from the same sources, and from its table in the manifest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgMatches;
use tempo_backend::{APP, DATA};
use tempo_settings::{Error, ErrorKind, Flag, Settings, Value, ValueSource};

use crate::cli::FlagGroup;
use crate::env_file::{self, ENV_FILE, Variables};
use crate::found_file::{self, FoundFile};
use crate::host_key::KEY_FILE;
use crate::manifest::{self, DeclaredBuild, DeclaredComponent, DeclaredImport, Manifest};
use crate::notices::Notices;
use crate::read_files;
use crate::registry::ToolEntry;
use crate::separator::split;
use crate::settings_file::{self, SETTINGS, Values};

/// The settings file in the working directory, which is also the manifest of an app.
const FOUND_SETTINGS: &str = "tempo.toml";

/// The flags that settings are read for.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    /// Those of the runtime.
    pub groups: &'a [FlagGroup],
    /// The tools, which have flags of their own.
    pub tools: &'a [ToolEntry],
}

impl<'a> Sources<'a> {
    fn flags(self) -> impl Iterator<Item = &'a Flag> {
        let of_tools = self.tools.iter().flat_map(|tool| &tool.flags);
        self.groups.iter().flat_map(|group| &group.flags).chain(of_tools)
    }
}

/// The settings and the files that they were read from.
#[derive(Default)]
pub(crate) struct LoadedSettings {
    /// The settings of the process, and of its component if it has one only.
    pub settings: Arc<Settings>,
    /// The settings files, including those that do not exist.
    pub files: Vec<PathBuf>,
    /// The files that the settings name and that components read once.
    pub read_once: Vec<PathBuf>,
    /// How the component is built, if it has no app.
    pub build: Option<DeclaredBuild>,
    /// Warnings about the files.
    pub notices: Notices,
}

/// An app: several components in one process.
#[derive(Debug)]
pub(crate) struct App {
    /// Its name.
    pub name: String,
    /// Its components, by name.
    pub components: Vec<AppComponentSettings>,
}

impl App {
    /// Returns the component `name`.
    pub(crate) fn component(&self, name: &str) -> Option<&AppComponentSettings> {
        self.components.iter().find(|component| component.name == name)
    }
}

/// A component of an app.
#[derive(Debug)]
pub(crate) struct AppComponentSettings {
    /// Its name.
    pub name: String,
    /// The place of its declaration: `tempo.toml:7`.
    pub place: String,
    /// Its file.
    pub source: PathBuf,
    /// The interfaces that other components export to it.
    pub imports: Vec<DeclaredImport>,
    /// How its file is built.
    pub build: Option<DeclaredBuild>,
    /// The names of the flags in its own table.
    pub own_flags: Vec<&'static str>,
    /// Its settings.
    pub settings: Arc<Settings>,
}

impl LoadedSettings {
    /// Reads the settings of a command without an app.
    ///
    /// # Errors
    ///
    /// A source is invalid, or a file that a flag names cannot be read.
    pub(crate) fn load(matches: &ArgMatches, sources: Sources<'_>) -> anyhow::Result<Self> {
        let mut loaded = Self::default();
        let file = loaded.env_file(matches, sources)?;
        let table = match loaded.read(settings_file_name(matches, &file)?, &SETTINGS, FOUND_SETTINGS)? {
            Some((path, bytes)) => {
                loaded.build = manifest::build_at_top(&bytes, &path)?;
                settings_file::parse(&bytes, &path, sources.flags())?
            }
            None => Values::new(),
        };
        check_key(table.get(KEY_FILE.name).and_then(|values| values.first()))?;
        loaded.settings = Arc::new(Layers { matches, file: &file }.merge(sources, &[&table])?);
        loaded.read_once = read_once(sources, [&*loaded.settings]);
        Ok(loaded)
    }

    /// Reads the settings of a tool, and the app if the settings file declares one.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load) and [`load_app`](Self::load_app).
    pub(crate) fn load_tool(matches: &ArgMatches, sources: Sources<'_>) -> anyhow::Result<(Self, Option<App>)> {
        let mut loaded = Self::default();
        let file = loaded.env_file(matches, sources)?;
        let layers = Layers { matches, file: &file };
        let Some((path, bytes)) = loaded.read(settings_file_name(matches, &file)?, &SETTINGS, FOUND_SETTINGS)? else {
            loaded.settings = Arc::new(layers.merge(sources, &[])?);
            return Ok((loaded, None));
        };
        if manifest::declares_app(&bytes, &path)? {
            let app = loaded.app(layers, sources, &path, &bytes)?;
            return Ok((loaded, Some(app)));
        }
        let table = settings_file::parse(&bytes, &path, sources.flags())?;
        check_key(table.get(KEY_FILE.name).and_then(|values| values.first()))?;
        loaded.settings = Arc::new(layers.merge(sources, &[&table])?);
        Ok((loaded, None))
    }

    /// Reads the settings of the app whose manifest is the file `named`, or else the settings file.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); also if the file declares no app, or there is no file.
    pub(crate) fn load_app(
        named: Option<PathBuf>,
        matches: &ArgMatches,
        sources: Sources<'_>,
    ) -> anyhow::Result<(Self, App)> {
        let mut loaded = Self::default();
        let file = loaded.env_file(matches, sources)?;
        if named.is_some() && !command_line_values(matches, &SETTINGS).is_empty() {
            let message = "--settings: a manifest is the settings file of its app; name one of the two";
            return Err(Error::new(ErrorKind::Usage, message).into());
        }
        let named = match named {
            Some(named) => Some(named.to_string_lossy().into_owned()),
            None => settings_file_name(matches, &file)?,
        };
        let Some((path, bytes)) = loaded.read(named, &SETTINGS, FOUND_SETTINGS)? else {
            return Err(no_manifest().into());
        };
        let app = loaded.app(Layers { matches, file: &file }, sources, &path, &bytes)?;
        Ok((loaded, app))
    }

    /// Reads the app of the manifest `path`, and the settings of the process.
    fn app(&mut self, layers: Layers<'_>, sources: Sources<'_>, path: &str, bytes: &[u8]) -> Result<App, Error> {
        let flags: Vec<&Flag> = sources.flags().collect();
        let (table, manifest) = manifest::parse(bytes, path, &flags)?;
        check_key(table.get(KEY_FILE.name).and_then(|values| values.first()))?;
        self.settings = Arc::new(layers.merge(sources, &[&table])?);
        let Manifest { name, name_source, components } = manifest;
        let folder = Path::new(path).parent().unwrap_or(Path::new("")).to_owned();
        let of_app = AppDefaults { settings: &self.settings, name: &name, name_source: &name_source, folder: &folder };
        let components = components.into_iter().map(|declared| {
            let settings = layers.merge(sources, &[&declared.values, &table])?;
            let place = format!("{path}:{}", declared.line);
            let settings = Arc::new(of_app.apply(settings, &declared)?);
            let DeclaredComponent { name, source, imports, build, values, .. } = declared;
            let own_flags = values.into_keys().collect();
            Ok(AppComponentSettings { name, place, source, imports, build, own_flags, settings })
        });
        let components = components.collect::<Result<Vec<_>, Error>>()?;
        self.read_once = read_once(sources, components.iter().map(|component| &*component.settings));
        Ok(App { name, components })
    }

    fn env_file(&mut self, matches: &ArgMatches, sources: Sources<'_>) -> anyhow::Result<Variables> {
        let variables: BTreeSet<String> = sources.flags().map(Flag::variable).collect();
        let named = command_line_values(matches, &ENV_FILE).pop().or(variable(&ENV_FILE)?);
        let file = match self.read(named, &ENV_FILE, ".env")? {
            Some((path, bytes)) => env_file::parse(&bytes, &path, |name| variables.contains(name))?,
            None => Variables::new(),
        };
        check_names(&file, &variables)?;
        check_key(file.get(&KEY_FILE.variable()))?;
        Ok(file)
    }

    /// Reads the file that `flag` names, or else `default`, if it exists and is trusted. Returns its path and contents.
    fn read(&mut self, named: Option<String>, flag: &Flag, default: &str) -> Result<Option<(String, Vec<u8>)>, Error> {
        self.files.push(named.as_deref().unwrap_or(default).into());
        if let Some(path) = named {
            let bytes = std::fs::read(&path)
                .map_err(|error| Error::new(ErrorKind::NotFound, format!("cannot read {path}")).with_source(error))?;
            return Ok(Some((path, bytes)));
        }
        Ok(match found_file::read(default.as_ref()) {
            FoundFile::Absent => None,
            FoundFile::Trusted(bytes) => Some((default.to_owned(), bytes)),
            FoundFile::Ignored(reason) => {
                self.notices.add(format!("{default} is ignored: {reason}; --{} {default} reads it", flag.name));
                None
            }
            FoundFile::Unreadable(reason) => {
                self.notices.add(format!("{default} is ignored: {reason}; --{} FILE reads another", flag.name));
                None
            }
        })
    }
}

/// Returns the files that `settings` name and that components read once.
fn read_once<'a>(sources: Sources<'_>, settings: impl IntoIterator<Item = &'a Settings>) -> Vec<PathBuf> {
    let paths = |settings| read_files::paths(sources.flags(), settings).into_iter().map(|(_, path)| path);
    settings.into_iter().flat_map(paths).collect()
}

/// The error of a command that needs an app and has none.
fn no_manifest() -> Error {
    match found_file::read(FOUND_SETTINGS.as_ref()) {
        FoundFile::Ignored(reason) => {
            let error = Error::new(ErrorKind::Refused, format!("{FOUND_SETTINGS} is ignored: {reason}"));
            error.with_advice(format!("name the file to read it: {FOUND_SETTINGS}"))
        }
        FoundFile::Unreadable(reason) => {
            let error = Error::new(ErrorKind::NotFound, format!("{FOUND_SETTINGS} cannot be used: {reason}"));
            error.with_advice("name a component or the manifest of an app")
        }
        _ => Error::new(ErrorKind::Usage, format!("no component: name a file, or declare an app in {FOUND_SETTINGS}")),
    }
}

/// The defaults that an app has for its components.
struct AppDefaults<'a> {
    /// The settings of the process.
    settings: &'a Settings,
    name: &'a str,
    name_source: &'a ValueSource,
    /// The folder of the manifest.
    folder: &'a Path,
}

impl AppDefaults<'_> {
    /// Gives the component a folder of its own in the data directory, and the app's name for its consumers.
    fn apply(&self, mut settings: Settings, declared: &DeclaredComponent) -> Result<Settings, Error> {
        if !declared.values.contains_key(DATA.name) {
            let data: PathBuf = self.settings.require(&DATA)?;
            let data = if self.settings.is_set(&DATA) { data } else { self.folder.join(data) };
            let text = data.join(&declared.name).to_string_lossy().into_owned();
            settings.set(&DATA, vec![Value { text, source: ValueSource::Default }]);
        }
        if !settings.is_set(&APP) {
            settings.set(&APP, vec![Value { text: self.name.to_owned(), source: self.name_source.clone() }]);
        }
        Ok(settings)
    }
}

/// The sources that precede the tables of files.
#[derive(Clone, Copy)]
struct Layers<'a> {
    matches: &'a ArgMatches,
    file: &'a Variables,
}

impl Layers<'_> {
    /// Merges these sources with `tables`, the one with the highest precedence first.
    fn merge(self, sources: Sources<'_>, tables: &[&Values]) -> Result<Settings, Error> {
        let mut settings = Settings::default();
        for flag in sources.flags() {
            let given = |text| Value { text, source: ValueSource::CommandLine };
            let command_line = command_line_values(self.matches, flag).into_iter().map(given).collect();
            let environment = variable(flag)?.map(|text| split(flag, &text, &ValueSource::Environment)).transpose()?;
            let in_file = self.file.get(&flag.variable());
            let in_file = in_file.map(|value| split(flag, &value.text, &value.source)).transpose()?;
            let in_tables = tables.iter().map(|table| table.get(flag.name).cloned());
            settings.merge(flag, [Some(command_line), environment, in_file].into_iter().chain(in_tables).flatten());
        }
        Ok(settings)
    }
}

/// Returns the settings file that a flag or a variable names.
fn settings_file_name(matches: &ArgMatches, file: &Variables) -> Result<Option<String>, Error> {
    let named = file.get(&SETTINGS.variable()).map(|value| value.text.clone());
    Ok(command_line_values(matches, &SETTINGS).pop().or(variable(&SETTINGS)?).or(named))
}

/// Refuses a key file that is named by a settings file: the settings may come with the code that the key would authenticate.
fn check_key(value: Option<&Value>) -> Result<(), Error> {
    let problem = "only the command line and the environment may name the key";
    value.map_or(Ok(()), |value| Err(value.invalid(&KEY_FILE, problem)))
}

/// Returns the values of `flag` on the command line. The command of a tool has only some of the flags.
fn command_line_values(matches: &ArgMatches, flag: &Flag) -> Vec<String> {
    matches.try_get_many(flag.name).ok().flatten().into_iter().flatten().cloned().collect()
}

fn variable(flag: &Flag) -> Result<Option<String>, Error> {
    let name = flag.variable();
    match std::env::var(&name) {
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::new(ErrorKind::BadConfiguration, format!("{name}: not Unicode (environment)")))
        }
    }
}

/// Refuses unknown `TEMPO_` variables in the environment file: most are misspelt and would silently set nothing.
fn check_names(file: &Variables, known: &BTreeSet<String>) -> Result<(), Error> {
    for (name, value) in file.iter().filter(|(name, _)| name.starts_with("TEMPO_")) {
        if !known.contains(name)
            && let ValueSource::File { path, line } = &value.source
        {
            let message = format!("{name}: no such setting ({path}:{line}); `run --help` lists them");
            return Err(Error::new(ErrorKind::BadConfiguration, message));
        }
    }
    Ok(())
}
