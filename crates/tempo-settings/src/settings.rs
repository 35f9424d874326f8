//! Flags as documented data, and their values.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Disclosure, Error, ErrorKind, FlagValue, ValueForm};

/// One setting: a command-line flag and, under [`Flag::variable`], an environment variable.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Flag {
    /// The flag without its dashes: `max-memory`.
    pub name: &'static str,
    /// The placeholder of the value in the help: `SIZE`.
    pub value: &'static str,
    /// One sentence for the help.
    pub help: &'static str,
    /// The default value.
    pub default: Option<&'static str>,
    /// Whether the flag may be given more than once.
    pub repeatable: bool,
    /// For a repeatable flag whose values are `[NAME=]FIRST[;KEY=VALUE]...`: the key of `FIRST` in a table of the settings
    /// file.
    pub first_key: Option<&'static str>,
    /// The keys and placeholders of the options of such a value.
    pub options: &'static [(&'static str, &'static str)],
    /// All possible values, if they are few.
    pub choices: &'static [&'static str],
    /// The value if the flag is given without one; `None` if it needs a value.
    pub bare: Option<&'static str>,
    /// If its values are grants to the component, the part of them that may be displayed.
    pub grants: Option<Disclosure>,
    /// The form of its values.
    pub form: ValueForm,
    /// Whether it is only an environment variable called [`Flag::name`], which other programs use too.
    pub environment_only: bool,
    /// Whether it sets up the process, so that the components of an app cannot have different values.
    pub of_process: bool,
    /// Whether its value is a file that is read once, when a component is connected: a reload compares the file.
    pub read_once: bool,
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
            options: &[],
            choices: &[],
            bare: None,
            grants: None,
            form: ValueForm::Text,
            environment_only: false,
            of_process: false,
            read_once: false,
        }
    }

    /// An environment variable without a flag, which other programs use too: `OTEL_SERVICE_NAME`.
    pub const fn environment(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { environment_only: true, ..Self::new(name, value, help) }
    }

    /// Sets the default.
    pub const fn default(self, text: &'static str) -> Self {
        Self { default: Some(text), ..self }
    }

    /// Sets all possible values.
    pub const fn one_of(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    /// Sets the keys and placeholders of the options of a flag [with options](Self::with_options).
    pub const fn options(self, options: &'static [(&'static str, &'static str)]) -> Self {
        Self { options, ..self }
    }

    /// Lets the flag be given without a value, which means `text`.
    pub const fn bare(self, text: &'static str) -> Self {
        Self { bare: Some(text), ..self }
    }

    /// Marks the flag's values as grants to the component, displayed by `disclosure`.
    pub const fn grants(self, disclosure: Disclosure) -> Self {
        Self { grants: Some(disclosure), ..self }
    }

    /// Marks the flag as one of the process, which the components of an app share.
    pub const fn of_process(self) -> Self {
        Self { of_process: true, ..self }
    }

    /// Marks the flag's value as a file that is read once.
    pub const fn read_once(self) -> Self {
        Self { read_once: true, ..self }
    }

    /// Sets the form of the values.
    pub const fn form(self, form: ValueForm) -> Self {
        Self { form, ..self }
    }

    /// Lets the flag be given more than once. The values of all sources apply, except those whose name has a value of a source
    /// with higher precedence.
    pub const fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// Makes the flag repeatable, with values `[NAME=]FIRST[;KEY=VALUE]...`. In the settings file such a value may be a
    /// table: `key` is the key of `FIRST`, `name` the key of `NAME`, and all other keys are options.
    pub const fn with_options(self, key: &'static str) -> Self {
        Self { repeatable: true, first_key: Some(key), form: ValueForm::WithOptions, ..self }
    }

    /// Returns the flag's environment variable: `TEMPO_MAX_MEMORY`. In the variable of a repeatable flag, commas separate
    /// values, and `\,` is a comma within a value; `\=` is an equals sign within a value of `KEY=VALUE`.
    pub fn variable(&self) -> String {
        if self.environment_only {
            return self.name.to_owned();
        }
        format!("TEMPO_{}", self.name.replace('-', "_").to_uppercase())
    }
}

/// The source of a value, which errors name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueSource {
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
    /// The flag's default.
    Default,
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Environment => f.write_str("environment"),
            Self::File { path, line } | Self::SettingsFile { path, line } => write!(f, "{path}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value of a flag and its source.
#[derive(Clone)]
pub struct Value {
    /// The text as given.
    pub text: String,
    /// The source.
    pub source: ValueSource,
}

impl Value {
    /// Returns the error for this value of `flag`. `problem` must not contain the value if it may be secret.
    pub fn invalid(&self, flag: &Flag, problem: &str) -> Error {
        bad_value(flag, &self.source, problem)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*** from {:?}", self.source)
    }
}

/// The values of all flags, merged from the command line, the environment, the environment file and the settings file.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<&'static str, Vec<Value>>,
}

impl Settings {
    /// Sets the values of `flag`, replacing previous ones.
    pub fn set(&mut self, flag: &Flag, values: Vec<Value>) {
        self.values.insert(flag.name, values);
    }

    /// Sets the values of `flag` from `sources`, the one with the highest precedence first. A flag that is not repeatable takes
    /// the values of the first source that has some. A repeatable one takes all, the first source's last, without those whose
    /// [name](ValueForm::name_of) has a value in an earlier source.
    pub fn merge(&mut self, flag: &Flag, sources: impl IntoIterator<Item = Vec<Value>>) {
        let mut sources = sources.into_iter().filter(|values| !values.is_empty());
        let Some(mut merged) = sources.next() else { return };
        for lower in sources.take_while(|_| flag.repeatable) {
            let is_set =
                |value: &Value| merged.iter().any(|set| flag.form.name_of(&set.text) == flag.form.name_of(&value.text));
            let mut values: Vec<Value> = lower.into_iter().filter(|value| !is_set(value)).collect();
            values.append(&mut merged);
            merged = values;
        }
        self.set(flag, merged);
    }

    /// Returns whether a source has set `flag`.
    pub fn is_set(&self, flag: &Flag) -> bool {
        self.values.get(flag.name).is_some_and(|values| !values.is_empty())
    }

    /// Returns the value of `flag`, its default, or `None`.
    ///
    /// # Errors
    ///
    /// The value cannot be parsed as a `V`. The error names the flag or variable and the source, never the value.
    pub fn get<V: FlagValue>(&self, flag: &Flag) -> Result<Option<V>, Error> {
        match self.values.get(flag.name).and_then(|values| values.last()) {
            Some(value) => parse(flag, value).map(Some),
            None => flag.default.map(|text| parse(flag, &default_value(text))).transpose(),
        }
    }

    /// Returns the value of `flag` or its default.
    ///
    /// # Errors
    ///
    /// As [`Settings::get`]; also if the flag has neither a value nor a default.
    pub fn require<V: FlagValue>(&self, flag: &Flag) -> Result<V, Error> {
        self.get(flag)?.ok_or_else(|| {
            Error::new(
                ErrorKind::BadConfiguration,
                format!("--{} is needed: give it, or set {}", flag.name, flag.variable()),
            )
        })
    }

    /// Returns all values of a repeatable `flag`, in the order given.
    ///
    /// # Errors
    ///
    /// As [`Settings::get`], for the first value that cannot be parsed.
    pub fn all<V: FlagValue>(&self, flag: &Flag) -> Result<Vec<V>, Error> {
        self.values.get(flag.name).into_iter().flatten().map(|value| parse(flag, value)).collect()
    }

    /// Returns the unparsed values of a repeatable `flag`, for parsers with errors of their own.
    pub fn raw_values(&self, flag: &Flag) -> &[Value] {
        self.values.get(flag.name).map_or(&[], Vec::as_slice)
    }

    /// Returns whether `flag` has the same values in `other`, from whichever sources.
    pub fn has_same(&self, other: &Self, flag: &Flag) -> bool {
        let (values, others) = (self.raw_values(flag), other.raw_values(flag));
        values.len() == others.len() && values.iter().zip(others).all(|(value, other)| value.text == other.text)
    }

    /// Returns the error for a value of `flag` that was parsed but cannot be used, such as the path of a missing file.
    /// `problem` must not contain the value if it may be secret.
    pub fn invalid(&self, flag: &Flag, problem: &str) -> Error {
        let source = self.values.get(flag.name).and_then(|values| values.last()).map(|value| &value.source);
        bad_value(flag, source.unwrap_or(&ValueSource::Default), problem)
    }
}

fn default_value(text: &str) -> Value {
    Value { text: text.to_owned(), source: ValueSource::Default }
}

fn parse<V: FlagValue>(flag: &Flag, value: &Value) -> Result<V, Error> {
    V::parse(&value.text).ok_or_else(|| bad_value(flag, &value.source, &format!("expected {}", V::EXPECTED)))
}

fn bad_value(flag: &Flag, source: &ValueSource, problem: &str) -> Error {
    match source {
        ValueSource::CommandLine => Error::new(ErrorKind::Usage, format!("--{}: {problem}", flag.name)),
        ValueSource::Environment => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem} (environment)", flag.variable()))
        }
        ValueSource::File { path, line } => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem} ({path}:{line})", flag.variable()))
        }
        ValueSource::SettingsFile { path, line } => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem} ({path}:{line})", flag.name))
        }
        ValueSource::Default if flag.environment_only => {
            Error::new(ErrorKind::BadConfiguration, format!("{}: {problem}", flag.name))
        }
        ValueSource::Default => {
            Error::new(ErrorKind::BadConfiguration, format!("--{} (default): {problem}", flag.name))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    const ADDR: Flag = Flag::new("addr", "HOST:PORT", "Address").default("127.0.0.1:8080");

    #[test]
    fn the_error_of_a_bad_value_names_its_source_and_not_the_value() {
        let mut settings = Settings::default();
        let source = ValueSource::File { path: ".env".into(), line: 3 };
        settings.set(&ADDR, vec![Value { text: "s3cret".into(), source }]);
        let error = settings.get::<SocketAddr>(&ADDR).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadConfiguration);
        assert_eq!(error.to_string(), "TEMPO_ADDR: expected host:port, such as 127.0.0.1:8080 (.env:3)");
        assert!(!format!("{settings:?}").contains("s3cret"));
    }

    #[test]
    fn a_default_applies_only_without_a_value() {
        let mut settings = Settings::default();
        assert_eq!(settings.require::<SocketAddr>(&ADDR).unwrap().port(), 8080);
        settings.set(&ADDR, vec![Value { text: "127.0.0.1:1".into(), source: ValueSource::CommandLine }]);
        assert_eq!(settings.require::<SocketAddr>(&ADDR).unwrap().port(), 1);
    }

    #[test]
    fn sources_are_merged_by_the_names_of_values() {
        let config = Flag::new("config", "KEY=VALUE", "").repeatable().form(ValueForm::KeyValue);
        let urls = Flag::new("allow-http", "URL", "").repeatable();
        let source = |texts: &[&str]| -> Vec<Value> {
            let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::Environment };
            texts.iter().map(value).collect()
        };
        let merged = |flag: &Flag, sources: &[&[&str]]| -> Vec<String> {
            let mut settings = Settings::default();
            settings.merge(flag, sources.iter().map(|texts| source(texts)));
            settings.raw_values(flag).iter().map(|value| value.text.clone()).collect()
        };
        assert_eq!(merged(&config, &[&["a=1"], &[], &["b=2", "a=2"], &["b=3", "c=3"]]), ["c=3", "b=2", "a=1"]);
        assert_eq!(merged(&config, &[&["a=1", "a=2"], &["a=3"]]), ["a=1", "a=2"]);
        assert_eq!(merged(&urls, &[&["https://a"], &["https://b", "https://a"]]), ["https://b", "https://a"]);
        assert_eq!(merged(&ADDR, &[&["a:1"], &["b:2"]]), ["a:1"]);
        assert_eq!(merged(&ADDR, &[&[], &[]]), Vec::<String>::new());
    }
}
