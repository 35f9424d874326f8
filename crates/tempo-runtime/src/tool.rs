//! Runs the tools of a runtime as commands.

use std::io::{self, ErrorKind as IoErrorKind, Write};

use clap::{Arg, ArgAction, ArgMatches, Command};
use tempo_core::{Argument, ArgumentForm, ToolAction, ToolInvocation};
use tempo_settings::{Error, ErrorKind, Settings};

use crate::registry::ToolEntry;

/// Returns the clap command of `tool`, without its flags. Without a subcommand it takes the arguments of the first action.
pub fn command(tool: &ToolEntry) -> Command {
    let mut command = Command::new(tool.name).about(tool.about);
    for action in tool.actions {
        command = command.subcommand(with_arguments(Command::new(action.name).about(action.about), action));
    }
    match tool.actions.first() {
        Some(first) => with_arguments(command, first).after_help(format!("Without a command: {}", first.name)),
        None => command,
    }
}

fn with_arguments(command: Command, action: &ToolAction) -> Command {
    command.args(action.arguments.iter().map(|argument| {
        let arg = Arg::new(argument.name).help(argument.help);
        match argument.form {
            ArgumentForm::Operand => arg.value_name(argument.name),
            ArgumentForm::Switch => arg.long(argument.name).action(ArgAction::SetTrue),
            ArgumentForm::Option(value) => arg.long(argument.name).value_name(value).allow_hyphen_values(true),
        }
    }))
}

/// Returns the invocation of `tool`.
///
/// # Errors
///
/// An argument precedes an action that does not have it.
pub fn invocation(tool: &ToolEntry, matches: &ArgMatches) -> Result<ToolInvocation, Error> {
    let no_action = || Error::new(ErrorKind::Usage, format!("{} has no action", tool.name));
    let first = tool.actions.first().ok_or_else(no_action)?;
    let (action, own) = match matches.subcommand() {
        Some((name, own)) => (tool.actions.iter().find(|action| action.name == name).unwrap_or(first), Some(own)),
        None => (first, None),
    };
    let mut invocation = ToolInvocation::new(action.name);
    for argument in first.arguments {
        let accepted = action.arguments.iter().any(|other| other.name == argument.name);
        match given(argument, matches) {
            Some(text) if accepted => invocation = invocation.with(argument, text),
            Some(_) => {
                let message = format!("--{} is not an argument of {}; see --help", argument.name, action.name);
                return Err(Error::new(ErrorKind::Usage, message));
            }
            None => {}
        }
    }
    for argument in action.arguments {
        if let Some(text) = own.and_then(|own| given(argument, own)) {
            invocation = invocation.with(argument, text);
        }
    }
    Ok(invocation)
}

fn given(argument: &Argument, matches: &ArgMatches) -> Option<String> {
    match argument.form {
        ArgumentForm::Switch => matches.get_flag(argument.name).then(String::new),
        ArgumentForm::Operand | ArgumentForm::Option(_) => matches.get_one::<String>(argument.name).cloned(),
    }
}

/// Runs `tool` on the calling thread.
///
/// # Errors
///
/// Those of the tool, and of standard output.
pub fn run(tool: &ToolEntry, invocation: &ToolInvocation, settings: &Settings) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut output = ToolOutput { inner: io::stdout(), failed: None };
    let done = runtime.block_on((tool.run)(invocation, settings, &mut output));
    match output.failed {
        // A reader such as `head` closes the pipe early; that is not an error.
        Some(IoErrorKind::BrokenPipe) => Ok(0),
        Some(kind) => Err(Error::new(ErrorKind::CannotWrite, format!("cannot write the output: {kind}")).into()),
        None => done.map(|()| 0),
    }
}

/// Standard output that records its failure, to distinguish it from a failure of the tool.
struct ToolOutput<W> {
    inner: W,
    failed: Option<IoErrorKind>,
}

impl<W: Write> Write for ToolOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes).inspect_err(|error| self.failed = permanent(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().inspect_err(|error| self.failed = permanent(error))
    }
}

fn permanent(error: &io::Error) -> Option<IoErrorKind> {
    (error.kind() != IoErrorKind::Interrupted).then(|| error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHICH: Argument = Argument::operand("WHICH", "");
    const JSON: Argument = Argument::switch("json", "");
    const OF: Argument = Argument::option("of", "NAME", "");
    const ENTRY: ToolEntry = ToolEntry {
        name: "toys",
        about: "",
        actions: &[
            ToolAction { name: "list", about: "", arguments: &[JSON, OF] },
            ToolAction { name: "mend", about: "", arguments: &[WHICH, OF] },
        ],
        flags: Vec::new(),
        run: |_, _, _| Box::pin(async { Ok(()) }),
    };

    fn parse(words: &[&str]) -> Result<ToolInvocation, String> {
        let words = std::iter::once(&"toys").chain(words);
        let matches = command(&ENTRY).try_get_matches_from(words).map_err(|error| error.to_string())?;
        invocation(&ENTRY, &matches).map_err(|error| error.to_string())
    }

    #[test]
    fn the_first_action_is_the_default() {
        let list = ToolInvocation::new("list");
        assert_eq!(parse(&[]), Ok(list.clone()));
        assert_eq!(parse(&["list"]), Ok(list.clone()));
        let wanted = list.with(&JSON, "").with(&OF, "a");
        for words in [&["--json", "--of", "a"][..], &["list", "--of=a", "--json"], &["--json", "list", "--of", "a"]] {
            assert_eq!(parse(words), Ok(wanted.clone()), "{words:?}");
        }
    }

    #[test]
    fn an_action_has_its_own_arguments() {
        assert_eq!(
            parse(&["mend", "3", "--of", "a"]),
            Ok(ToolInvocation::new("mend").with(&WHICH, "3").with(&OF, "a"))
        );
        assert_eq!(parse(&["--of", "a", "mend"]), Ok(ToolInvocation::new("mend").with(&OF, "a")));
        assert_eq!(parse(&["--json", "mend"]).unwrap_err(), "--json is not an argument of mend; see --help");
        for words in [&["mend", "--json"][..], &["mend", "1", "2"], &["list", "1"], &["break"]] {
            assert!(parse(words).unwrap_err().starts_with("error: "), "{words:?}");
        }
    }

    #[test]
    fn a_failure_of_the_output_is_recorded() {
        let mut full = ToolOutput { inner: &mut [0_u8; 2][..], failed: None };
        assert!(full.write_all(b"ab").is_ok() && full.failed.is_none());
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(IoErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut closed = ToolOutput { inner: Closed, failed: None };
        assert!(closed.write_all(b"a").is_err());
        assert_eq!(closed.failed, Some(IoErrorKind::BrokenPipe));
    }
}
