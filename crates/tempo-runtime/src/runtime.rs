//! `Runtime`: the builder and the program of a runtime.

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tempo_core::{Backend, Limits, Service, Trigger};
use tempo_settings::{Error, Flag};

use crate::allocation::ALLOCATION;
use crate::boot::{self, Ended, Parts, ReadProgram};
use crate::cli::{self, Action, FlagGroup, Program, ProgramSource};
use crate::load::{self, COMPILE_CACHE, LoadOptions, Purpose};
use crate::loaded_settings::{LoadedSettings, Sources};
use crate::registry::{ServiceEntry, ToolEntry, ToolSettings, TriggerEntry};
use crate::reloads::Reloads;
use crate::signals::Signals;
use crate::watch::WATCH;
use crate::{
    compose, dev, env_file, grants, host_key, inspect_command, link, log, log_line, log_output, output, reporting,
    schema, settings_file, stdout, tool,
};

/// Exit code of errors without an [`Error`]: EX_SOFTWARE of `sysexits.h`.
const EX_SOFTWARE: u8 = 70;

/// Maximum time to write the last lines of the log at exit, if standard error is not read.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The flags of all commands.
const COMMON: &[Flag] =
    &[settings_file::SETTINGS, env_file::ENV_FILE, host_key::KEY_FILE, ALLOCATION, COMPILE_CACHE, WATCH];

/// The builder of a runtime, and its program.
///
/// [`runtime!`](crate::runtime!) expands to calls of its methods; a program with its own `main` calls them itself.
pub struct Runtime {
    name: &'static str,
    version: &'static str,
    about: &'static str,
    services: Vec<ServiceEntry>,
    triggers: Vec<TriggerEntry>,
    tools: Vec<ToolEntry>,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("name", &self.name).field("version", &self.version).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Creates a runtime called `name` that offers only WASI.
    pub fn new(name: &'static str, version: &'static str, about: &'static str) -> Self {
        Self { name, version, about, services: Vec::new(), triggers: Vec::new(), tools: Vec::new() }
    }

    /// Adds service `S` with backend `B`.
    #[must_use]
    pub fn service<S: Service, B: Backend<S>>(mut self) -> Self {
        self.services.push(ServiceEntry::of::<S, B>());
        self
    }

    /// Adds trigger `R`.
    #[must_use]
    pub fn trigger<R: Trigger>(mut self) -> Self {
        self.triggers.push(TriggerEntry::of::<R>());
        self
    }

    /// Adds tool `X` as a command.
    #[cfg(feature = "tools")]
    #[must_use]
    pub fn tool<X: tempo_tool::Tool>(mut self) -> Self {
        self.tools.push(ToolEntry::of::<X>());
        self
    }

    /// Parses the command line, runs the command, and writes errors in one line.
    pub fn main(self) -> ExitCode {
        // It lives as long as its process: threads that load components refer to it.
        let runtime: &'static Self = Box::leak(Box::new(self));
        let signals = Signals::listen().context("cannot listen for signals");
        let code = signals.and_then(|signals| runtime.execute(signals)).unwrap_or_else(|error| {
            log_line::write_error(&error);
            error.downcast_ref::<Error>().map_or(EX_SOFTWARE, |error| error.kind().exit_code())
        });
        log_output::flush(LOG_FLUSH_TIMEOUT);
        ExitCode::from(code)
    }

    fn execute(&'static self, signals: Signals) -> anyhow::Result<u8> {
        let groups = self.flags();
        let command = cli::command(self.name, self.version, self.about, &groups, &self.tools);
        let Some((action, loaded)) = cli::parse(command, &groups, &self.tools)? else { return Ok(0) };
        let settings = &loaded.settings;
        log::start(settings)?;
        match action {
            Action::Run { program, arguments, source } => {
                let watches = settings.require(&WATCH)?;
                self.run((program, loaded), &arguments, source, watches, signals)
            }
            Action::Dev { arguments, source } => {
                loaded.notices.discard();
                self.develop(&arguments, source, signals)
            }
            Action::Compile { component, output, target } => {
                output::check(&component, &output)?;
                let options = LoadOptions {
                    limits: &Limits::from_settings(settings)?,
                    settings,
                    concurrent_packages: &link::concurrent_packages(&self.services),
                    purpose: Purpose::Run(&self.triggers),
                    previous: None,
                };
                let file = load::precompile(&component, target.as_deref(), options)?;
                output::write(&component, &output, &file)?;
                Ok(0)
            }
            Action::Compose { app, manifest, component, output } => {
                let composed = boot::compose(self.parts(), &app, settings)?;
                compose::write(&composed, component.as_deref(), &manifest, &output)?;
                Ok(0)
            }
            Action::Inspect { program, format } => {
                inspect_command::run(&self.parts(), &program, format, &loaded)?;
                Ok(0)
            }
            Action::Schema => {
                let schema = schema::schema(self.name, &groups, &self.tools);
                let text = serde_json::to_string_pretty(&schema)? + "\n";
                stdout::print(&text)?;
                Ok(0)
            }
            Action::Tool { tool, matches, app } => {
                let settings = app.as_deref().map_or(ToolSettings::Process(settings), ToolSettings::App);
                tool::run(tool, &matches, settings)
            }
        }
    }

    fn run(
        &'static self,
        (program, loaded): (Program, LoadedSettings),
        arguments: &[String],
        source: ProgramSource,
        watches: bool,
        mut signals: Signals,
    ) -> anyhow::Result<u8> {
        tempo_core::descriptors::raise_file_limit();
        let read: ReadProgram = Arc::new(move || self.read(&source));
        let served = read.clone();
        let serve = |program: Program, loaded: LoadedSettings, reloads: &mut Reloads| {
            boot::run(self.parts(), &program, arguments, (loaded, served), &mut signals, reloads)
        };
        let ended = match watches {
            true => dev::run_watched(read, (program, loaded), serve),
            false => serve(program, loaded, &mut Reloads::channel().1),
        };
        ended.map(Ended::code)
    }

    fn develop(&'static self, arguments: &[String], source: ProgramSource, mut signals: Signals) -> anyhow::Result<u8> {
        tempo_core::descriptors::raise_file_limit();
        let defaults = dev::Defaults::find();
        let read: ReadProgram = Arc::new(move || {
            let (program, mut loaded) = self.read(&source)?;
            defaults.apply(Arc::make_mut(&mut loaded.settings));
            Ok((program, loaded))
        });
        dev::run(&read, |program, loaded, reloads| {
            let settings = (loaded, read.clone());
            let ended = boot::run(self.parts(), &program, arguments, settings, &mut signals, reloads);
            signals.start_again();
            ended
        })
    }

    /// Reads a program and its settings.
    fn read(&self, source: &ProgramSource) -> anyhow::Result<(Program, LoadedSettings)> {
        source.read(Sources { groups: &self.flags(), tools: &self.tools })
    }

    fn parts(&self) -> Parts<'_> {
        Parts { runtime: self.name, version: self.version, services: &self.services, triggers: &self.triggers }
    }

    /// Returns the flags whose values cannot change while the process runs.
    pub(crate) fn fixed_flags() -> Vec<Flag> {
        [COMMON, log::FLAGS, &reporting::flags()].concat()
    }

    fn flags(&self) -> Vec<FlagGroup> {
        let mut groups = vec![
            FlagGroup { heading: "General", flags: [COMMON, log::FLAGS].concat() },
            FlagGroup { heading: "Grants", flags: grants::flags().collect() },
            FlagGroup { heading: "Limits", flags: Limits::FLAGS.to_vec() },
            FlagGroup { heading: "Telemetry", flags: reporting::flags() },
        ];
        let triggers = self.triggers.iter().map(|trigger| (trigger.name, &trigger.flags));
        let services = self.services.iter().map(|service| (service.name, &service.flags));
        let mut seen = BTreeSet::new();
        for (heading, flags) in triggers.chain(services) {
            // Several backends may list the same flag, such as the credentials of a server.
            let flags = flags.iter().filter(|flag| seen.insert(flag.name)).copied().collect();
            groups.push(FlagGroup { heading, flags });
        }
        groups
    }
}
