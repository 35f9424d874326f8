//! What a user does with a runtime besides running components: looking after what its services keep.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;

use tempo_settings::{Error, ErrorKind, Flag, Setting, Settings};

/// A command that a runtime has besides `run`, `compile` and `inspect`, for whoever operates it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    note = "list under `tools` of `runtime!` only what implements `Tool`, such as a command for dead letters"
)]
pub trait Tool: Send + Sync + 'static {
    /// The command: `messages`.
    const NAME: &'static str;

    /// One line for the help.
    const ABOUT: &'static str;

    /// What it can do. Never empty; the first is meant if none is named, and has no operand.
    const ACTIONS: &'static [ToolAction];

    /// The flags it reads. They mean the same as for `run`, and are found in the same places.
    fn flags() -> Vec<Flag>;

    /// Does what was asked, and writes what it finds to `output`. What comes from outside is written so that a terminal
    /// takes no orders from it.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] says what to change. Those of `output` are handed on as they are.
    fn run(
        asked: &Asked,
        settings: &Settings,
        output: &mut (dyn Write + Send),
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// One thing that a tool can do.
#[derive(Clone, Copy, Debug)]
pub struct ToolAction {
    /// The word for it: `list`.
    pub name: &'static str,
    /// One line for the help.
    pub about: &'static str,
    /// What may follow the word.
    pub arguments: &'static [Argument],
}

/// What may follow the word for an action.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// A name of its own among the arguments of the action. Of an operand, what stands for it in the help: `SEQUENCE`.
    pub name: &'static str,
    /// One sentence for the help.
    pub help: &'static str,
    /// In which form it is given.
    pub form: ArgumentForm,
}

/// In which form an argument is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentForm {
    /// A value, by its place.
    Operand,
    /// `--NAME`.
    Switch,
    /// `--NAME VALUE`, with what stands for the value in the help.
    Option(&'static str),
}

impl Argument {
    /// A value that stands by itself.
    pub const fn operand(name: &'static str, help: &'static str) -> Self {
        Self { name, help, form: ArgumentForm::Operand }
    }

    /// `--NAME`.
    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        Self { name, help, form: ArgumentForm::Switch }
    }

    /// `--NAME VALUE`.
    pub const fn option(name: &'static str, value: &'static str, help: &'static str) -> Self {
        Self { name, help, form: ArgumentForm::Option(value) }
    }
}

/// An action that a user asked for, with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    action: &'static str,
    values: BTreeMap<&'static str, String>,
}

impl Asked {
    /// `action` without arguments.
    pub fn new(action: &'static str) -> Self {
        Self { action, values: BTreeMap::new() }
    }

    /// The same with `argument`. The text of a switch means nothing.
    #[must_use]
    pub fn with(mut self, argument: &Argument, text: impl Into<String>) -> Self {
        self.values.insert(argument.name, text.into());
        self
    }

    /// The word for the action.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Whether `argument` was given.
    pub fn has(&self, argument: &Argument) -> bool {
        self.values.contains_key(argument.name)
    }

    /// The value of `argument`, if it was given.
    ///
    /// # Errors
    ///
    /// It cannot be read as a `V`.
    pub fn get<V: Setting>(&self, argument: &Argument) -> Result<Option<V>, Error> {
        let dashes = if argument.form == ArgumentForm::Operand { "" } else { "--" };
        let read = |text: &String| {
            V::parse(text).ok_or_else(|| {
                Error::new(ErrorKind::Usage, format!("{dashes}{}: expected {}", argument.name, V::EXPECTED))
            })
        };
        self.values.get(argument.name).map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_what_they_should_be() {
        const WHICH: Argument = Argument::operand("SEQUENCE", "");
        const LIMIT: Argument = Argument::option("limit", "N", "");
        const ALL: Argument = Argument::switch("all", "");
        let asked = Asked::new("peek").with(&WHICH, "7").with(&LIMIT, "many").with(&ALL, "");
        assert_eq!(asked.get(&WHICH), Ok(Some(7_u64)));
        let errors = [asked.get::<usize>(&LIMIT), asked.clone().with(&WHICH, "x").get::<usize>(&WHICH)];
        let errors = errors.map(|result| result.unwrap_err().to_string());
        assert_eq!(errors, ["--limit: expected a whole number", "SEQUENCE: expected a whole number"]);
        assert!(asked.has(&ALL) && !Asked::new("peek").has(&ALL));
    }
}
