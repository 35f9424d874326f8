//! The command line, built from the flags of the runtime's services, triggers and tools.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tempo_settings::{Error, ErrorKind, Flag, Settings};

use crate::env_file::ENV_FILE;
use crate::loaded_settings::{App, LoadedSettings, Sources};
use crate::log;
use crate::registry::ToolEntry;
use crate::settings_file::SETTINGS;
use crate::stdout;

/// The argument of a tool that selects a component of an app.
const ONE_COMPONENT: &str = "one-component";

/// A headed group of flags in the help.
pub(crate) struct FlagGroup {
    /// The heading.
    pub heading: &'static str,
    /// The flags under it.
    pub flags: Vec<Flag>,
}

/// The parsed command.
pub(crate) enum Action<'a> {
    /// Serve a component or an app, or run a command once.
    Run {
        /// The component or the app.
        program: Program,
        /// The arguments after `--`.
        arguments: Vec<String>,
        /// Where the program was read from.
        source: ProgramSource,
    },
    /// Build a component or an app, serve it, and replace what is built again.
    Dev {
        /// The arguments after `--`.
        arguments: Vec<String>,
        /// Where the program was read from.
        source: ProgramSource,
    },
    /// Write a precompiled file.
    Compile {
        /// The file.
        component: PathBuf,
        /// The output file.
        output: PathBuf,
        /// The target to compile for, with all its processors; `None` for this machine's processor.
        target: Option<String>,
    },
    /// Write a component of an app, composed with others.
    Compose {
        /// The app.
        app: App,
        /// The manifest.
        manifest: PathBuf,
        /// The name of the component; `None` for the only one.
        component: Option<String>,
        /// The output file.
        output: PathBuf,
    },
    /// Show imports and exports.
    Inspect {
        /// The component or the app.
        program: Program,
        /// The format to print.
        format: InspectFormat,
    },
    /// Print the JSON Schema of settings files.
    Schema,
    /// Run a tool.
    Tool {
        /// The tool.
        tool: &'a ToolEntry,
        /// Its subcommand and arguments.
        matches: ArgMatches,
        /// The selected components with their settings, if the settings file declares an app.
        app: Option<Vec<(String, Settings)>>,
    },
}

/// A format of `inspect`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InspectFormat {
    /// Text.
    Text,
    /// JSON.
    Json,
    /// A flowchart in the language of Mermaid.
    Mermaid,
}

/// A component or an app.
pub(crate) enum Program {
    /// The file of a component.
    Component(PathBuf),
    /// An app, which a manifest declares.
    App(Arc<App>),
}

/// Parses the command line and reads the settings. Returns `None` after printing the help or the version.
///
/// # Errors
///
/// The command line is invalid, a variable is not Unicode, or a settings file is invalid.
pub(crate) fn parse<'a>(
    command: Command,
    groups: &[FlagGroup],
    tools: &'a [ToolEntry],
) -> anyhow::Result<Option<(Action<'a>, LoadedSettings)>> {
    let matches = match command.try_get_matches() {
        Ok(matches) => matches,
        Err(error) if !error.use_stderr() => {
            stdout::written(error.print())?;
            return Ok(None);
        }
        Err(error) => return Err(usage(&error).into()),
    };
    let Some((name, matches)) = matches.subcommand() else {
        let commands = "a command is needed: run, dev, compile, compose, inspect or schema";
        return Err(Error::new(ErrorKind::Usage, commands).into());
    };
    let sources = Sources { groups, tools };
    if let Some(tool) = tools.iter().find(|tool| tool.command.get_name() == name) {
        let matches = matches.clone();
        // A tool without flags reads no settings: those of the working directory may be what it extends.
        if tool.flags.is_empty() {
            return Ok(Some((Action::Tool { tool, matches, app: None }, LoadedSettings::default())));
        }
        let (loaded, app) = LoadedSettings::load_tool(innermost(&matches), sources)?;
        let app = selected(app, innermost(&matches).get_one::<String>(ONE_COMPONENT))?;
        return Ok(Some((Action::Tool { tool, matches, app }, loaded)));
    }
    if name == "schema" {
        return Ok(Some((Action::Schema, LoadedSettings::default())));
    }
    let component = matches.get_one::<PathBuf>("component").cloned();
    if name == "compile" {
        let component = component.unwrap_or_default();
        let output = matches.get_one("output").cloned().unwrap_or_else(|| component.with_extension("bin"));
        let action = Action::Compile { output, target: matches.get_one("target").cloned(), component };
        return Ok(Some((action, LoadedSettings::load(matches, sources)?)));
    }
    if name == "compose" {
        let manifest = component.unwrap_or_default();
        if !is_manifest(&manifest) {
            let message = format!("{}: no manifest: compose needs that of an app (.toml)", manifest.display());
            let advice = "declare the component and its imports in one, such as tempo.toml";
            return Err(Error::new(ErrorKind::Usage, message).with_advice(advice).into());
        }
        let (loaded, app) = LoadedSettings::load_app(Some(manifest.clone()), matches, sources)?;
        let output = matches.get_one("output").cloned().unwrap_or_default();
        let action = Action::Compose { app, manifest, component: matches.get_one("name").cloned(), output };
        return Ok(Some((action, loaded)));
    }
    let source = ProgramSource { file: component, matches: matches.clone() };
    let (program, loaded) = source.read(sources)?;
    if name == "inspect" {
        return Ok(Some((Action::Inspect { program, format: inspect_format(matches) }, loaded)));
    }
    let arguments = matches.get_many("arguments").into_iter().flatten().cloned().collect();
    let action = match name {
        "dev" => Action::Dev { arguments, source },
        _ => Action::Run { program, arguments, source },
    };
    Ok(Some((action, loaded)))
}

/// Returns whether `file` is named as the manifest of an app.
fn is_manifest(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

fn inspect_format(matches: &ArgMatches) -> InspectFormat {
    match (matches.get_flag("json"), matches.get_flag("mermaid")) {
        (true, _) => InspectFormat::Json,
        (_, true) => InspectFormat::Mermaid,
        _ => InspectFormat::Text,
    }
}

/// The command line from which a program and its settings are read, again for each reload.
pub(crate) struct ProgramSource {
    /// The file of a component or a manifest; `None` for the settings file.
    file: Option<PathBuf>,
    matches: ArgMatches,
}

impl ProgramSource {
    /// Reads the settings of the component, or of the app.
    ///
    /// # Errors
    ///
    /// A source of settings is invalid, or there is neither a component nor an app.
    pub(crate) fn read(&self, sources: Sources<'_>) -> anyhow::Result<(Program, LoadedSettings)> {
        match &self.file {
            Some(file) if !is_manifest(file) => {
                Ok((Program::Component(file.clone()), LoadedSettings::load(&self.matches, sources)?))
            }
            manifest => {
                let (loaded, app) = LoadedSettings::load_app(manifest.clone(), &self.matches, sources)?;
                Ok((Program::App(Arc::new(app)), loaded))
            }
        }
    }
}

/// Returns the clap command `name` with its subcommands, and one for each of `tools`.
pub(crate) fn command(
    name: &'static str,
    version: &'static str,
    about: &'static str,
    groups: &[FlagGroup],
    tools: &[ToolEntry],
) -> Command {
    let component = Arg::new("component").value_name("FILE").value_parser(value_parser!(PathBuf));
    let arguments =
        Arg::new("arguments").value_name("ARGUMENTS").last(true).num_args(0..).help("Arguments of a command");
    let run = Command::new("run")
        .about("Serve a component or an app of several, or run a command once")
        .arg(component.clone().help(
            "A component (.wasm), a file written by `compile`, or the manifest of an app (.toml) [default: tempo.toml]",
        ))
        .arg(arguments.clone());
    let dev = Command::new("dev")
        .about("Build a component or an app, serve it, and replace each component whose sources change")
        .arg(component.clone().help("A component (.wasm), or the manifest of an app (.toml) [default: tempo.toml]"))
        .arg(arguments);
    let compile = Command::new("compile")
        .about("Compile a component ahead of time, for this host")
        .arg(component.clone().required(true).help("A component (.wasm)"))
        .arg(output().help("Output file [default: the component's name with .bin]"))
        .arg(Arg::new("target").long("target").value_name("TARGET").help(
            "Compile for all processors of a target, such as x86_64-unknown-linux-gnu [default: this machine's processor]",
        ));
    let compose = Command::new("compose")
        .about("Write a component of an app, composed with those that it is linked to by `link = \"composed\"`")
        .arg(component.clone().required(true).help("The manifest of an app (.toml)"))
        .arg(output().required(true).help("Output file (.wasm)"))
        .arg(
            Arg::new("name")
                .long("component")
                .value_name("NAME")
                .help("The component [default: the only one with a composed link]"),
        );
    let inspect = Command::new("inspect")
        .about("Show a component's imports and exports, and what satisfies and calls them; of an app, those of all components")
        .arg(component.help("A component (.wasm), or the manifest of an app (.toml) [default: tempo.toml]"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
        .arg(
            Arg::new("mermaid")
                .long("mermaid")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("Print a flowchart for Mermaid, which GitHub renders in a code block called mermaid"),
        );
    let schema =
        Command::new("schema").about("Print the JSON Schema of tempo.toml, for editors that complete and check it");
    Command::new(name)
        .version(version)
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_flags(run, groups))
        .subcommand(with_flags(dev, groups))
        .subcommand(with_flags(compile, groups))
        .subcommand(with_flags(compose, groups))
        .subcommand(with_flags(inspect, groups))
        .subcommand(schema)
        .subcommands(tools.iter().map(tool_command))
}

fn output() -> Arg {
    Arg::new("output").long("output").short('o').value_name("FILE").value_parser(value_parser!(PathBuf))
}

/// Returns the command of a tool. Its flags may precede or follow the name of a subcommand.
fn tool_command(tool: &ToolEntry) -> Command {
    if tool.flags.is_empty() {
        return tool.command.clone();
    }
    let mut flags = tool.flags.clone();
    // Several backends may list the same flag.
    let mut seen = BTreeSet::new();
    flags.retain(|flag| seen.insert(flag.name));
    let general = [&[SETTINGS, ENV_FILE], log::FLAGS].concat();
    let groups = [("General", general), ("Settings", flags)].map(|(heading, flags)| FlagGroup { heading, flags });
    // Only the flags have a heading.
    let component = Arg::new(ONE_COMPONENT).long("component").value_name("NAME");
    let component = component.help("Which component, if the settings file declares an app [default: all]").global(true);
    with_flags(tool.command.clone(), &groups)
        .arg(component)
        .mut_args(|arg| if arg.get_help_heading().is_some() { arg.global(true) } else { arg })
}

/// Returns the components of `app`, or the one called `name`.
///
/// # Errors
///
/// There is no such component.
fn selected(app: Option<App>, name: Option<&String>) -> Result<Option<Vec<(String, Settings)>>, Error> {
    let Some(app) = app else {
        let message = "--component: the settings file declares no app; remove the argument";
        return name.map_or(Ok(None), |_| Err(Error::new(ErrorKind::Usage, message)));
    };
    let names: Vec<String> = app.components.iter().map(|component| component.name.clone()).collect();
    let components =
        app.components.into_iter().map(|component| (component.name, Arc::unwrap_or_clone(component.settings)));
    let found: Vec<_> = components.filter(|(own, _)| name.is_none_or(|name| name == own)).collect();
    if found.is_empty() {
        let message = format!("--component: the app has no component of that name; it has {}", names.join(", "));
        return Err(Error::new(ErrorKind::Usage, message));
    }
    Ok(Some(found))
}

/// Returns the matches of the innermost subcommand, which include the global flags before it.
fn innermost(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, matches)| matches)
}

fn with_flags(mut command: Command, groups: &[FlagGroup]) -> Command {
    for group in groups {
        for flag in group.flags.iter().filter(|flag| !flag.environment_only) {
            let mut help = format!("{} [env: {}]", flag.help, flag.variable());
            if let Some(default) = flag.default {
                help = format!("{} [default: {default}] [env: {}]", flag.help, flag.variable());
            }
            let action = if flag.repeatable { ArgAction::Append } else { ArgAction::Set };
            let arg = Arg::new(flag.name).long(flag.name).value_name(flag.value).help(help).action(action);
            let arg = match flag.bare {
                Some(bare) => arg.num_args(0..=1).default_missing_value(bare),
                None => arg.allow_hyphen_values(true),
            };
            command = command.arg(arg.help_heading(group.heading));
        }
    }
    command
}

/// Returns clap's message in one line, without its prefix and usage.
fn usage(error: &clap::Error) -> Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let is_footer = |line: &&str| line.starts_with("Usage") || line.starts_with("For more information");
    let details: Vec<&str> = text.lines().skip(1).map(str::trim).take_while(|line| !is_footer(line)).collect();
    let details = details.join(" ");
    Error::new(ErrorKind::Usage, format!("{what} {}", details.trim()).trim().to_owned() + "; see --help")
}
