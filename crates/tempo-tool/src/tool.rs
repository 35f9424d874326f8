//! `Tool`: a `clap::Command`, the flags of its backends, and the code that runs it.

use std::future::Future;
use std::io::Write;

use clap::{ArgMatches, Command};
use tempo_settings::{Error, ErrorKind, Flag, Settings};

/// An operator's command of a runtime, beside `run`, `compile` and `inspect`.
///
/// A runtime adds [`flags`](Tool::flags) to [`command`](Tool::command) and reads them, as for `run`, from the command line, the
/// environment, `.env` and the settings file. It calls [`run`](Tool::run) once, on a current-thread executor, and exits.
///
/// # Examples
///
/// A command `greetings`, whose greeting is a setting:
///
/// ```
/// use std::io::Write;
///
/// use tempo_settings::{Flag, Settings, Value, ValueSource};
/// use tempo_tool::Tool;
/// use tempo_tool::clap::{Arg, ArgMatches, Command};
///
/// const GREETING: Flag = Flag::new("greeting", "TEXT", "The greeting");
///
/// struct Greetings;
///
/// impl Tool for Greetings {
///     fn command() -> Command {
///         Command::new("greetings").about("Greet a name").arg(Arg::new("name").required(true))
///     }
///
///     fn flags() -> Vec<Flag> {
///         vec![GREETING]
///     }
///
///     async fn run(matches: &ArgMatches, settings: &Settings, output: &mut (dyn Write + Send)) -> anyhow::Result<()> {
///         let greeting: String = settings.get(&GREETING)?.unwrap_or_else(|| "Hello".to_owned());
///         let name = matches.get_one::<String>("name").map_or("", String::as_str);
///         writeln!(output, "{greeting}, {name}!")?;
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> anyhow::Result<()> {
/// let matches = Greetings::command().try_get_matches_from(["greetings", "Ann"])?;
/// let mut settings = Settings::default();
/// settings.set(&GREETING, vec![Value { text: "Good morning".to_owned(), source: ValueSource::CommandLine }]);
/// let mut output = Vec::new();
/// Greetings::run(&matches, &settings, &mut output).await?;
/// assert_eq!(output, b"Good morning, Ann!\n");
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tool",
    note = "list under `tools` of `runtime!` only what implements `Tool`, such as a command for dead letters"
)]
pub trait Tool: Send + Sync + 'static {
    /// Returns the command with its subcommands and arguments, and without the flags of [`flags`](Tool::flags). Its name is
    /// the subcommand of the runtime: `messages`.
    fn command() -> Command;

    /// Returns the flags that the tool reads. They have the same meaning as for `run`. A tool without flags reads no settings,
    /// and its command has none of the general flags, such as `--settings`.
    fn flags() -> Vec<Flag>;

    /// Runs the command with the arguments in `matches`, and writes its result to `output`. Implementations escape the data
    /// of guests and brokers, so that it cannot control the terminal.
    ///
    /// # Errors
    ///
    /// A [`tempo_settings::Error`] names what to change. Errors of `output` are returned unchanged.
    fn run(
        matches: &ArgMatches,
        settings: &Settings,
        output: &mut (dyn Write + Send),
    ) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Runs the command for an app, with the name and the settings of each of its `components`. By default, only one component
    /// can be selected, and the command [runs](Tool::run) with its settings.
    ///
    /// # Errors
    ///
    /// As [`run`](Tool::run); also if several components are left to select from.
    fn run_app(
        matches: &ArgMatches,
        components: &[(String, Settings)],
        output: &mut (dyn Write + Send),
    ) -> impl Future<Output = anyhow::Result<()>> + Send {
        async move {
            if let [(_, settings)] = components {
                return Self::run(matches, settings, output).await;
            }
            let names: Vec<&str> = components.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("which component? Name it with --component NAME; the app has {}", names.join(", "));
            Err(Error::new(ErrorKind::Usage, message).into())
        }
    }
}
