//! The command line, built from the flags of the runtime's services, triggers and tools.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tempo_settings::{Error, ErrorKind, Flag, Settings, Value, ValueSource};

use crate::env_file::{self, ENV_FILE, Variables};
use crate::found_file::{self, FoundFile};
use crate::host_key::KEY_FILE;
use crate::log;
use crate::notices::Notices;
use crate::registry::ToolEntry;
use crate::separator::split;
use crate::settings_file::{self, SETTINGS};

/// A headed group of flags in the help.
pub(crate) struct FlagGroup {
    /// The heading.
    pub heading: &'static str,
    /// The flags under it.
    pub flags: Vec<Flag>,
}

/// The parsed command.
pub(crate) enum Action<'a> {
    /// Serve a component, or run a command once.
    Run {
        /// The file.
        component: PathBuf,
        /// The arguments after `--`.
        arguments: Vec<String>,
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
    /// Show imports and exports.
    Inspect {
        /// The file.
        component: PathBuf,
        /// Whether to print JSON instead of text.
        json: bool,
    },
    /// Run a tool.
    Tool {
        /// The tool.
        tool: &'a ToolEntry,
        /// Its subcommand and arguments.
        matches: ArgMatches,
    },
}

/// The settings and the files that they were read from.
#[derive(Default)]
pub(crate) struct LoadedSettings {
    /// The settings.
    pub settings: Settings,
    /// The settings files, including those that do not exist.
    pub files: Vec<PathBuf>,
    /// Warnings about the files.
    pub notices: Notices,
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
            error.print()?;
            return Ok(None);
        }
        Err(error) => return Err(usage(&error).into()),
    };
    let Some((name, matches)) = matches.subcommand() else {
        return Err(Error::new(ErrorKind::Usage, "a command is needed: run, compile or inspect").into());
    };
    if let Some(tool) = tools.iter().find(|tool| tool.command.get_name() == name) {
        let loaded = load(innermost(matches), groups, tools)?;
        return Ok(Some((Action::Tool { tool, matches: matches.clone() }, loaded)));
    }
    let loaded = load(matches, groups, tools)?;
    let component = matches.get_one::<PathBuf>("component").cloned().unwrap_or_default();
    let action = match name {
        "compile" => Action::Compile {
            output: matches.get_one("output").cloned().unwrap_or_else(|| component.with_extension("bin")),
            target: matches.get_one("target").cloned(),
            component,
        },
        "inspect" => Action::Inspect { component, json: matches.get_flag("json") },
        _ => {
            Action::Run { component, arguments: matches.get_many("arguments").into_iter().flatten().cloned().collect() }
        }
    };
    Ok(Some((action, loaded)))
}

/// Returns the clap command `name` with its three subcommands, and one for each of `tools`.
pub(crate) fn command(
    name: &'static str,
    version: &'static str,
    about: &'static str,
    groups: &[FlagGroup],
    tools: &[ToolEntry],
) -> Command {
    let component = Arg::new("component").value_name("FILE").required(true).value_parser(value_parser!(PathBuf));
    let run = Command::new("run")
        .about("Serve a component, or run it once if it is a command")
        .arg(component.clone().help("A component (.wasm) or a file written by `compile`"))
        .arg(Arg::new("arguments").value_name("ARGUMENTS").last(true).num_args(0..).help("Arguments of a command"));
    let compile = Command::new("compile")
        .about("Compile a component ahead of time, for this host")
        .arg(component.clone().help("A component (.wasm)"))
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Output file [default: the component's name with .bin]"),
        )
        .arg(Arg::new("target").long("target").value_name("TARGET").help(
            "Compile for all processors of a target, such as x86_64-unknown-linux-gnu [default: this machine's processor]",
        ));
    let inspect = Command::new("inspect")
        .about("Show a component's imports and exports, and what satisfies and calls them")
        .arg(component.help("A component (.wasm)"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"));
    Command::new(name)
        .version(version)
        .about(about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_flags(run, groups))
        .subcommand(with_flags(compile, groups))
        .subcommand(with_flags(inspect, groups))
        .subcommands(tools.iter().map(tool_command))
}

/// Returns the command of a tool. Its flags may precede or follow the name of a subcommand.
fn tool_command(tool: &ToolEntry) -> Command {
    let mut flags = tool.flags.clone();
    // Several backends may list the same flag.
    let mut seen = BTreeSet::new();
    flags.retain(|flag| seen.insert(flag.name));
    let general = [&[SETTINGS, ENV_FILE], log::FLAGS].concat();
    let groups = [("General", general), ("Settings", flags)].map(|(heading, flags)| FlagGroup { heading, flags });
    // Only the flags have a heading.
    with_flags(tool.command.clone(), &groups)
        .mut_args(|arg| if arg.get_help_heading().is_some() { arg.global(true) } else { arg })
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

/// Merges the command line, the environment, the environment file and the settings file, in this order of precedence.
fn load(matches: &ArgMatches, groups: &[FlagGroup], tools: &[ToolEntry]) -> anyhow::Result<LoadedSettings> {
    let of_tools = || tools.iter().flat_map(|tool| &tool.flags);
    let flags = || groups.iter().flat_map(|group| &group.flags).chain(of_tools());
    let variables: BTreeSet<String> = flags().map(Flag::variable).collect();
    let mut loaded = LoadedSettings::default();
    let named = command_line_values(matches, &ENV_FILE).pop().or(variable(&ENV_FILE)?);
    let file = match loaded.read(named, &ENV_FILE, ".env")? {
        Some((path, bytes)) => env_file::parse(&bytes, &path, |name| variables.contains(name))?,
        None => Variables::new(),
    };
    check_names(&file, &variables)?;
    let named = file.get(&SETTINGS.variable()).map(|value| value.text.clone());
    let named = command_line_values(matches, &SETTINGS).pop().or(variable(&SETTINGS)?).or(named);
    let table = match loaded.read(named, &SETTINGS, "tempo.toml")? {
        Some((path, bytes)) => settings_file::parse(&bytes, &path, flags())?,
        None => settings_file::Values::new(),
    };
    check_key(file.get(&KEY_FILE.variable()))?;
    check_key(table.get(KEY_FILE.name).and_then(|values| values.first()))?;
    let settings = &mut loaded.settings;
    for flag in flags() {
        let given = |text| Value { text, source: ValueSource::CommandLine };
        let command_line = command_line_values(matches, flag).into_iter().map(given).collect();
        let environment = variable(flag)?.map(|text| split(flag, &text, &ValueSource::Environment)).transpose()?;
        let of_file = file.get(&flag.variable()).map(|value| split(flag, &value.text, &value.source)).transpose()?;
        let of_table = table.get(flag.name).cloned();
        settings.merge(flag, [Some(command_line), environment, of_file, of_table].into_iter().flatten());
    }
    Ok(loaded)
}

impl LoadedSettings {
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
        })
    }
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
