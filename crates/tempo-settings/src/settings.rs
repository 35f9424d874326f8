//! Flags as documented data, and the values that a user gave them.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Error, ErrorKind, Setting, Shown};

/// One setting: a command-line flag and, under [`Flag::variable`], an environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The flag without its dashes: `max-memory`.
    pub name: &'static str,
    /// What stands for the value in the help: `SIZE`.
    pub value: &'static str,
    /// One sentence for the help.
    pub help: &'static str,
    /// The value used when the user gives none.
    pub default: Option<&'static str>,
    /// Whether the flag may be given more than once.
    pub repeatable: bool,
    /// For a repeatable flag whose values are `[NAME=]FIRST[;KEY=VALUE]...`: what a table of the settings file calls
    /// `FIRST`.
    pub first_key: Option<&'static str>,
    /// The value of the flag given without one, if it may be.
    pub bare: Option<&'static str>,
    /// How its values are shown, if they grant the component something.
    pub grants: Option<Shown>,
    /// Whether it is an environment variable only, of the name [`Flag::name`]: one that other programs know too.
    pub environment_only: bool,
}

impl Flag {
    /// A flag that takes one `value`.
    pub const fn new(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self {
            name,
            value,
            help,
            default: None,
            repeatable: false,
            first_key: None,
            bare: None,
            grants: None,
            environment_only: false,
        }
    }

    /// An environment variable that other programs know too, and that is no flag: `OTEL_SERVICE_NAME`.
    pub const fn environment(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { environment_only: true, ..Self::new(name, value, help) }
    }

    /// The same flag with a default.
    pub const fn default(self, text: &'static str) -> Self {
        Self { default: Some(text), ..self }
    }

    /// The same flag, which means `text` if it is given without a value.
    pub const fn bare(self, text: &'static str) -> Self {
        Self { bare: Some(text), ..self }
    }

    /// The same flag, whose values grant the component something, and are shown so.
    pub const fn grants(self, shown: Shown) -> Self {
        Self { grants: Some(shown), ..self }
    }

    /// The same flag, which may be given more than once.
    pub const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// The same flag, which may be given more than once, and whose values are `[NAME=]FIRST[;KEY=VALUE]...`. In the
    /// settings file such a value may be a table: `key` is what it calls `FIRST`, `name` what it calls `NAME`, and each
    /// other key is an option.
    pub const fn with_options(self, key: &'static str) -> Self {
        Self { repeatable: true, first_key: Some(key), ..self }
    }

    /// The environment variable that stands for the flag: `TEMPO_MAX_MEMORY`. Several values of a repeatable flag are
    /// separated by commas there, and `\,` is a comma within a value.
    pub fn variable(&self) -> String {
        if self.environment_only {
            return self.name.to_owned();
        }
        format!("TEMPO_{}", self.name.replace('-', "_").to_uppercase())
    }
}

/// Where a value came from, for the error that it may cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The command line.
    CommandLine,
    /// The process environment.
    Environment,
    /// A line of an environment file.
    File {
        /// The file's path as the user gave it.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// A line of a settings file.
    SettingsFile {
        /// The file's path as the user gave it.
        path: String,
        /// Counted from 1.
        line: usize,
    },
    /// The flag's own default.
    Default,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment => f.write_str("environment"),
            Self::File { path, line } | Self::SettingsFile { path, line } => write!(f, "{path}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Clone)]
pub struct Value {
    /// The text as given.
    pub text: String,
    /// Where it was given.
    pub place: Place,
}

impl Value {
    /// The error for this value of `flag`. `problem` must not repeat a value that may be secret.
    pub fn invalid(&self, flag: &Flag, problem: &str) -> Error {
        bad_value(flag, &self.place, problem)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*** from {:?}", self.place)
    }
}

/// The values of all flags, after the command line, the environment, the environment file and the settings file were
/// merged.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Vec<Value>>,
}

impl Settings {
    /// Sets the values of `flag`, replacing any it had.
    pub fn set(&mut self, flag: &Flag, values: Vec<Value>) {
        self.values.insert(flag.name, values);
    }

    /// The value of `flag`, or its default, or `None`.
    ///
    /// # Errors
    ///
    /// The value cannot be read as a `V`. The error names the flag or variable and its place, never the value.
    pub fn get<V: Setting>(&self, flag: &Flag) -> Result<Option<V>, Error> {
        match self.values.get(flag.name).and_then(|values| values.last()) {
            Some(value) => read(flag, value).map(Some),
            None => flag.default.map(|text| read(flag, &default_value(text))).transpose(),
        }
    }

    /// The value of a `flag` that has a default.
    ///
    /// # Errors
    ///
    /// As [`Settings::get`]; also if the flag has neither a value nor a default.
    pub fn require<V: Setting>(&self, flag: &Flag) -> Result<V, Error> {
        self.get(flag)?.ok_or_else(|| {
            Error::new(
                ErrorKind::BadConfiguration,
                format!("--{} is needed: give it, or set {}", flag.name, flag.variable()),
            )
        })
    }

    /// Every value of a repeatable `flag`, in the order given.
    ///
    /// # Errors
    ///
    /// As [`Settings::get`], for the first value that cannot be read.
    pub fn all<V: Setting>(&self, flag: &Flag) -> Result<Vec<V>, Error> {
        self.values.get(flag.name).into_iter().flatten().map(|value| read(flag, value)).collect()
    }

    /// Every value of a repeatable `flag` as it was given, for a reader that explains what is wrong with it.
    pub fn given(&self, flag: &Flag) -> &[Value] {
        self.values.get(flag.name).map_or(&[], Vec::as_slice)
    }

    /// The error for a value of `flag` that was read but cannot be used, such as one that names no existing file.
    /// `problem` must not repeat a value that may be secret.
    pub fn invalid(&self, flag: &Flag, problem: &str) -> Error {
        let place = self.values.get(flag.name).and_then(|values| values.last()).map(|value| &value.place);
        bad_value(flag, place.unwrap_or(&Place::Default), problem)
    }
}

fn default_value(text: &str) -> Value {
    Value { text: text.to_owned(), place: Place::Default }
}

fn read<V: Setting>(flag: &Flag, value: &Value) -> Result<V, Error> {
    V::parse(&value.text).ok_or_else(|| bad_value(flag, &value.place, &format!("expected {}", V::EXPECTED)))
}

fn bad_value(flag: &Flag, place: &Place, problem: &str) -> Error {
    match place {
        Place::CommandLine => Error::new(ErrorKind::Usage, format!("--{}: {problem}", flag.name)),
        Place::Environment => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem} (environment)", flag.variable()))
        }
        Place::File { path, line } => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem} ({path}:{line})", flag.variable()))
        }
        Place::SettingsFile { path, line } => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem} ({path}:{line})", flag.name))
        }
        Place::Default if flag.environment_only => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem}", flag.name))
        }
        Place::Default => Error::new(ErrorKind::BadConfiguration, format!("--{} (default): {problem}", flag.name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    const ADDR: Flag = Flag::new("addr", "HOST:PORT", "Address").default("127.0.0.1:8080");

    #[test]
    fn a_bad_value_is_named_with_its_place_and_never_shown() {
        let mut settings = Settings::default();
        let place = Place::File { path: ".env".into(), line: 3 };
        settings.set(&ADDR, vec![Value { text: "s3cret".into(), place }]);
        let error = settings.get::<SocketAddr>(&ADDR).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadConfiguration);
        assert_eq!(error.to_string(), "TEMPO_ADDR: expected host:port, such as 127.0.0.1:8080 (.env:3)");
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn defaults_apply_only_where_nothing_was_given() {
        let mut settings = Settings::default();
        assert_eq!(settings.require::<SocketAddr>(&ADDR).unwrap().port(), 8080);
        settings.set(&ADDR, vec![Value { text: "127.0.0.1:1".into(), place: Place::CommandLine }]);
        assert_eq!(settings.require::<SocketAddr>(&ADDR).unwrap().port(), 1);
    }
}
