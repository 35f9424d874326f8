//! The command line, built from the flags of whatever the runtime contains.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use tempo_core::ToolInvocation;
use tempo_settings::{Error, ErrorKind, Flag, Place, Settings, Value};

use crate::env_file::{self, ENV_FILE, Variables};
use crate::found_file::{self, Found};
use crate::host_key::KEY_FILE;
use crate::notices::Notices;
use crate::registry::ToolEntry;
use crate::settings_file::{self, SETTINGS};
use crate::{log, tool};

/// A headed group of flags in the help.
pub struct FlagGroup {
    /// The heading.
    pub heading: &'static str,
    /// The flags under it.
    pub flags: Vec<Flag>,
}

/// What the user asked for.
pub enum Action<'a> {
    /// Serve a component, or run a command once.
    Run {
        /// The file.
        component: PathBuf,
        /// What stands after `--`.
        arguments: Vec<String>,
    },
    /// Write a precompiled file.
    Compile {
        /// The file.
        component: PathBuf,
        /// Where to write.
        output: PathBuf,
        /// The target for whose every processor to compile.
        target: Option<String>,
    },
    /// Show imports and exports.
    Inspect {
        /// The file.
        component: PathBuf,
        /// As JSON rather than as text.
        json: bool,
    },
    /// Use a tool.
    Tool {
        /// Which.
        tool: &'a ToolEntry,
        /// What for.
        asked: ToolInvocation,
    },
}

/// The settings with the files they came from.
#[derive(Default)]
pub struct Sources {
    /// The settings.
    pub settings: Settings,
    /// The files that were read, or would have been if they existed.
    pub files: Vec<PathBuf>,
    /// What the user should know of them.
    pub notices: Notices,
}

/// Parses the command line into what to do and how. `None`: help or the version was printed.
///
/// # Errors
///
/// The command line is wrong, a variable is not Unicode, or an environment file is bad.
pub fn parse<'a>(
    command: Command,
    groups: &[FlagGroup],
    tools: &'a [ToolEntry],
) -> anyhow::Result<Option<(Action<'a>, Sources)>> {
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
    if let Some(tool) = tools.iter().find(|tool| tool.name == name) {
        let asked = tool::asked(tool, matches)?;
        return Ok(Some((Action::Tool { tool, asked }, sources(innermost(matches), groups, tools)?)));
    }
    let sources = sources(matches, groups, tools)?;
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
    Ok(Some((action, sources)))
}

/// The command `name` with its three subcommands, and one for each of `tools`.
pub fn command(
    name: &'static str,
    version: &'static str,
    about: &'static str,
    groups: &[FlagGroup],
    tools: &[ToolEntry],
) -> Command {
    let component = Arg::new("component").value_name("FILE").required(true).value_parser(value_parser!(PathBuf));
    let run = Command::new("run")
        .about("Serve a component, or run it once if it is a command")
        .arg(component.clone().help("A component (.wasm) or what `compile` wrote"))
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
                .help("Where to write [default: the component's name with .bin]"),
        )
        .arg(Arg::new("target").long("target").value_name("TARGET").help(
            "Compile for every processor of a target, such as x86_64-unknown-linux-gnu [default: this machine's processor]",
        ));
    let inspect = Command::new("inspect")
        .about("Show what a component imports and exports, and what satisfies it here")
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

/// The command of a tool. Its flags may stand before and after the word for an action.
fn tool_command(tool: &ToolEntry) -> Command {
    let mut flags = tool.flags.clone();
    // Several backends may read the same.
    let mut seen = BTreeSet::new();
    flags.retain(|flag| seen.insert(flag.name));
    let general = [&[SETTINGS, ENV_FILE], log::FLAGS].concat();
    let groups = [("General", general), ("Settings", flags)].map(|(heading, flags)| FlagGroup { heading, flags });
    with_flags(tool::command(tool), &groups).mut_args(|arg| {
        let is_flag = arg.get_help_heading().is_some();
        arg.global(is_flag)
    })
}

/// The matches of the last word of a command, to which those of flags before it were handed on.
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

fn sources(matches: &ArgMatches, groups: &[FlagGroup], tools: &[ToolEntry]) -> anyhow::Result<Sources> {
    let of_tools = || tools.iter().flat_map(|tool| &tool.flags);
    let flags = || groups.iter().flat_map(|group| &group.flags).chain(of_tools());
    let mut sources = Sources::default();
    let named = said(matches, &ENV_FILE).pop().or(variable(&ENV_FILE)?);
    let file = match sources.read(named, &ENV_FILE, ".env")? {
        Some((path, text)) => env_file::parse(&text, &path)?,
        None => Variables::new(),
    };
    check_names(&file, flags())?;
    let named = file.get(&SETTINGS.variable()).map(|value| value.text.clone());
    let named = said(matches, &SETTINGS).pop().or(variable(&SETTINGS)?).or(named);
    let table = match sources.read(named, &SETTINGS, "tempo.toml")? {
        Some((path, text)) => settings_file::parse(&text, &path, flags())?,
        None => settings_file::Values::new(),
    };
    check_key(file.get(&KEY_FILE.variable()))?;
    check_key(table.get(KEY_FILE.name).and_then(|values| values.first()))?;
    let settings = &mut sources.settings;
    for flag in flags() {
        let given = said(matches, flag);
        if !given.is_empty() {
            settings.set(flag, given.into_iter().map(|text| Value { text, place: Place::CommandLine }).collect());
        } else if let Some(text) = variable(flag)? {
            settings.set(flag, split(flag, &text, &Place::Environment));
        } else if let Some(value) = file.get(&flag.variable()) {
            settings.set(flag, split(flag, &value.text, &value.place));
        } else if let Some(values) = table.get(flag.name) {
            settings.set(flag, values.clone());
        }
    }
    Ok(sources)
}

impl Sources {
    /// Reads the file that `flag` names, or else `default`, if there is one and it is the user's. Gives its path, too.
    fn read(&mut self, named: Option<String>, flag: &Flag, default: &str) -> Result<Option<(String, String)>, Error> {
        self.files.push(named.as_deref().unwrap_or(default).into());
        if let Some(path) = named {
            let unreadable = |error| Error::new(ErrorKind::NotFound, format!("cannot read {path}: {error}"));
            let text = std::fs::read_to_string(&path).map_err(unreadable)?;
            return Ok(Some((path, text)));
        }
        Ok(match found_file::read(default.as_ref())? {
            Found::Nothing => None,
            Found::Trusted(text) => Some((default.to_owned(), text)),
            Found::Ignored(reason) => {
                self.notices.add(format!("{default} is ignored: {reason}; --{} {default} reads it", flag.name));
                None
            }
        })
    }
}

/// The key vouches for code that may have come with a file of settings, which therefore cannot choose it.
fn check_key(value: Option<&Value>) -> Result<(), Error> {
    let problem = "only the command line and the environment may name the key";
    value.map_or(Ok(()), |value| Err(value.invalid(&KEY_FILE, problem)))
}

/// The values of `flag` on the command line. A tool has but some of the flags.
fn said(matches: &ArgMatches, flag: &Flag) -> Vec<String> {
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

/// A name in the file that means nothing is most likely misspelt, and what it was to set would silently not be set.
fn check_names<'a>(file: &Variables, flags: impl Iterator<Item = &'a Flag>) -> Result<(), Error> {
    let known: Vec<String> = flags.map(Flag::variable).collect();
    for (name, value) in file.iter().filter(|(name, _)| name.starts_with("TEMPO_")) {
        if !known.contains(name)
            && let Place::File { path, line } = &value.place
        {
            let message = format!("{name}: no such setting ({path}:{line}); `run --help` lists them");
            return Err(Error::new(ErrorKind::BadConfiguration, message));
        }
    }
    Ok(())
}

/// Several values of a repeatable flag are separated by commas; `\,` is a comma within a value.
fn split(flag: &Flag, text: &str, place: &Place) -> Vec<Value> {
    let mut values = vec![String::new()];
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, values.last_mut()) {
            ('\\', Some(value)) if flag.repeatable && characters.peek() == Some(&',') => {
                value.extend(characters.next());
            }
            (',', _) if flag.repeatable => values.push(String::new()),
            (_, Some(value)) => value.push(character),
            (_, None) => {}
        }
    }
    let used = values.into_iter().filter(|text| !text.is_empty() || !flag.repeatable);
    used.map(|text| Value { text, place: place.clone() }).collect()
}

/// clap's message in one line, without its own prefix and usage.
fn usage(error: &clap::Error) -> Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(first);
    let details: Vec<&str> =
        text.lines().skip(1).map(str::trim).take_while(|line| !line.starts_with("Usage")).collect();
    let details = details.join(" ");
    Error::new(ErrorKind::Usage, format!("{what} {}", details.trim()).trim().to_owned() + "; see --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_repeatable_flags_hold_several_values() {
        let many = Flag::new("config", "KEY=VALUE", "").repeatable();
        let texts = |flag: &Flag, text: &str| -> Vec<String> {
            split(flag, text, &Place::Environment).into_iter().map(|value| value.text).collect()
        };
        assert_eq!(texts(&many, r"a=1,b=2\,3,c=\d"), ["a=1", "b=2,3", r"c=\d"]);
        assert_eq!(texts(&many, ""), Vec::<String>::new());
        assert_eq!(texts(&Flag::new("x", "X", ""), "a,b"), ["a,b"]);
    }
}
