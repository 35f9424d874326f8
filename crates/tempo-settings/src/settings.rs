//! The values of flags, with their sources.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Error, ErrorKind, Flag, FlagValue};

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
    /// [name](crate::ValueForm::name_of) has a value in an earlier source.
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

    /// Returns an error for each value of `flag` that is in use and that its [check](Flag::check) refuses.
    pub fn mistakes(&self, flag: &Flag) -> Vec<Error> {
        let Some(check) = flag.check else { return Vec::new() };
        let values = self.raw_values(flag);
        let unused = if flag.repeatable { 0 } else { values.len().saturating_sub(1) };
        values.iter().skip(unused).filter_map(|value| Some(value.invalid(flag, &check(&value.text).err()?))).collect()
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
    use crate::ValueForm;
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
    fn all_mistakes_of_a_flag_are_found_before_a_value_is_used() {
        let values = |flag: &Flag, texts: &[&str]| {
            let value = |(index, text): (usize, &&str)| {
                let source = ValueSource::SettingsFile { path: "tempo.toml".into(), line: index + 1 };
                Value { text: (*text).to_owned(), source }
            };
            let mut settings = Settings::default();
            settings.set(flag, texts.iter().enumerate().map(value).collect());
            settings.mistakes(flag).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let (one, all) = (ADDR.of::<SocketAddr>(), ADDR.of::<SocketAddr>().repeatable());
        let mistake = |line| format!("addr: expected host:port, such as 127.0.0.1:8080 (tempo.toml:{line})");
        assert_eq!(values(&all, &["s3cret", "127.0.0.1:1", "b"]), [mistake(1), mistake(3)]);
        assert_eq!(values(&one, &["a", "b"]), [mistake(2)], "the last one is in use");
        assert_eq!(values(&one, &[]), [""; 0]);
        assert_eq!(values(&ADDR, &["a"]), [""; 0], "without a check");
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
