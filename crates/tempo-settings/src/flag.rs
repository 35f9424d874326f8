//! Flags as documented data.

use crate::{Disclosure, FlagValue, ValueForm};

/// Checks the text of a value. The error is the problem, without the value.
pub type ValueCheck = fn(&str) -> Result<(), String>;

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
    /// Whether its value is a file that is read when a component is connected: a reload compares the file.
    pub read_once: bool,
    /// Checks a value without using it. `None` if only the use of a value shows whether it is one.
    pub check: Option<ValueCheck>,
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
            check: None,
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

    /// Marks the flag's value as a file that is read when a component is connected.
    pub const fn read_once(self) -> Self {
        Self { read_once: true, ..self }
    }

    /// Lets values be [checked](crate::Settings::mistakes) before they are used: each must parse as a `V`.
    pub const fn of<V: FlagValue>(self) -> Self {
        self.checked_by(parses_as::<V>)
    }

    /// Lets values be [checked](crate::Settings::mistakes) before they are used.
    pub const fn checked_by(self, check: ValueCheck) -> Self {
        Self { check: Some(check), ..self }
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

fn parses_as<V: FlagValue>(text: &str) -> Result<(), String> {
    V::parse(text).map(drop).ok_or_else(|| format!("expected {}", V::EXPECTED))
}
