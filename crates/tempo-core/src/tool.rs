//! `Tool`: a command of a runtime for the data that its services store.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;

use tempo_settings::{Error, ErrorKind, Flag, FlagValue, Settings};

/// An operator's command of a runtime, beside `run`, `compile` and `inspect`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    note = "list under `tools` of `runtime!` only what implements `Tool`, such as a command for dead letters"
)]
pub trait Tool: Send + Sync + 'static {
    /// The command: `messages`.
    const NAME: &'static str;

    /// One line for the help.
    const ABOUT: &'static str;

    /// The tool's actions. Never empty; the first is the default and has no operand.
    const ACTIONS: &'static [ToolAction];

    /// The flags it reads. They mean the same as for `run`, and are read from the same sources.
    fn flags() -> Vec<Flag>;

    /// Runs the invocation and writes its result to `output`. Data of guests and brokers is escaped, so that it cannot
    /// control the terminal.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] names what to change. Errors of `output` are returned unchanged.
    fn run(
        invocation: &ToolInvocation,
        settings: &Settings,
        output: &mut (dyn Write + Send),
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// An action of a tool: a subcommand.
#[derive(Clone, Copy, Debug)]
pub struct ToolAction {
    /// The name of the subcommand: `list`.
    pub name: &'static str,
    /// One line for the help.
    pub about: &'static str,
    /// The arguments of the subcommand.
    pub arguments: &'static [Argument],
}

/// An argument of an action.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// The name, unique within the action. For an operand, its placeholder in the help: `SEQUENCE`.
    pub name: &'static str,
    /// One sentence for the help.
    pub help: &'static str,
    /// The syntax.
    pub form: ArgumentForm,
}

/// The syntax of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentForm {
    /// A positional value.
    Operand,
    /// `--NAME`.
    Switch,
    /// `--NAME VALUE`, with the placeholder of the value in the help.
    Option(&'static str),
}

impl Argument {
    /// A positional value.
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

/// An action of a tool with its arguments, as given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolInvocation {
    action: &'static str,
    values: BTreeMap<&'static str, String>,
}

impl ToolInvocation {
    /// Creates an invocation of `action` without arguments.
    pub fn new(action: &'static str) -> Self {
        Self { action, values: BTreeMap::new() }
    }

    /// Adds `argument`. The text of a switch is ignored.
    #[must_use]
    pub fn with(mut self, argument: &Argument, text: impl Into<String>) -> Self {
        self.values.insert(argument.name, text.into());
        self
    }

    /// Returns the name of the action.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// Returns whether `argument` was given.
    pub fn has(&self, argument: &Argument) -> bool {
        self.values.contains_key(argument.name)
    }

    /// Returns the value of `argument`, if it was given.
    ///
    /// # Errors
    ///
    /// The value cannot be parsed as a `V`.
    pub fn get<V: FlagValue>(&self, argument: &Argument) -> Result<Option<V>, Error> {
        let dashes = if argument.form == ArgumentForm::Operand { "" } else { "--" };
        let parse = |text: &String| {
            V::parse(text).ok_or_else(|| {
                Error::new(ErrorKind::Usage, format!("{dashes}{}: expected {}", argument.name, V::EXPECTED))
            })
        };
        self.values.get(argument.name).map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_parsed_by_type() {
        const WHICH: Argument = Argument::operand("SEQUENCE", "");
        const LIMIT: Argument = Argument::option("limit", "N", "");
        const ALL: Argument = Argument::switch("all", "");
        let peek = ToolInvocation::new("peek").with(&WHICH, "7").with(&LIMIT, "many").with(&ALL, "");
        assert_eq!(peek.get(&WHICH), Ok(Some(7_u64)));
        let errors = [peek.get::<usize>(&LIMIT), peek.clone().with(&WHICH, "x").get::<usize>(&WHICH)];
        let errors = errors.map(|result| result.unwrap_err().to_string());
        assert_eq!(errors, ["--limit: expected a whole number", "SEQUENCE: expected a whole number"]);
        assert!(peek.has(&ALL) && !ToolInvocation::new("peek").has(&ALL));
    }
}
