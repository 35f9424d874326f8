//! `tempo dev`: builds the components of a program, serves them, and replaces each that is built again. `tempo run --watch` is the
//! same without builds.
//!
//! The program runs as with `tempo run`, on the main thread. A `Session` on a thread beside it watches, builds, and sends a
//! `ReloadRequest` after each build. The first request, once all components are built, starts the program.

mod built_file;
mod cargo;
mod command;
mod output;
mod plan;
mod process;
mod process_group;
mod session;
mod target;

use std::sync::mpsc::SyncSender;

use anyhow::Context as _;
use tempo_settings::{Error, ErrorKind, Flag, Settings, Value, ValueSource};
use tracing::Level;

pub(crate) use self::output::has_colors;
use self::plan::Plan;
pub(crate) use self::process_group::end_all as end_builds;
use self::session::{Event, Session};
use crate::boot::{Ended, ReadProgram};
use crate::cli::Program;
use crate::loaded_settings::LoadedSettings;
use crate::log_line;
use crate::reloads::Reloads;
use crate::reporting;

/// The settings of `tempo dev` that no source sets. They are found once: what was free then may be in use by the program itself.
pub(crate) struct Defaults(Vec<(Flag, String)>);

impl Defaults {
    /// Finds them.
    pub(crate) fn find() -> Self {
        Self(reporting::development_defaults())
    }

    /// Sets them in `settings`.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        for (flag, text) in self.0.iter().filter(|(flag, _)| !settings.is_set(flag)).collect::<Vec<_>>() {
            settings.set(flag, vec![Value { text: text.clone(), source: ValueSource::Default }]);
        }
    }
}

/// Builds the program that `read` returns, and serves it by `serve` until a signal arrives. A program that cannot start is started
/// again after the next change. Returns the exit code.
///
/// # Errors
///
/// Cargo refuses a project, or the program fails for a reason that no change of its files removes, such as an address in use.
pub(crate) fn run(
    read: &ReadProgram,
    mut serve: impl FnMut(Program, LoadedSettings, &mut Reloads) -> anyhow::Result<Ended>,
) -> anyhow::Result<u8> {
    let plan = {
        let (program, loaded) = read()?;
        // They are read again once the components are built.
        loaded.notices.discard();
        Plan::of(&program, &loaded).map_err(|error| Error::new(ErrorKind::BadConfiguration, error))?
    };
    within_session(read.clone(), plan, true, |reloads| {
        loop {
            // The request that starts the program has no other outcome.
            let request = reloads.blocking_next();
            anyhow::ensure!(request.is_some(), "the builder has stopped");
            drop(request);
            match read().and_then(|(program, loaded)| serve(program, loaded, reloads)) {
                Ok(Ended::Stopped(code)) => return Ok(code),
                Ok(Ended::Command(code)) => {
                    log_line::write(Level::INFO, &format!("the command exited with {code}; waiting for a change"));
                }
                Err(error) if is_fixable(&error) => {
                    log_line::write_error(&error);
                    log_line::write(Level::INFO, "waiting for a change");
                }
                Err(error) => return Err(error),
            }
        }
    })
}

/// Serves `program` by `serve`, and reloads it when its files change.
///
/// # Errors
///
/// As those of `serve`; also if the system refuses a thread.
pub(crate) fn run_watched(
    read: ReadProgram,
    (program, loaded): (Program, LoadedSettings),
    serve: impl FnOnce(Program, LoadedSettings, &mut Reloads) -> anyhow::Result<Ended>,
) -> anyhow::Result<Ended> {
    let plan = Plan::without_builds(&program, &loaded);
    within_session(read, plan, false, |reloads| serve(program, loaded, reloads))
}

/// Runs `serve` beside a session, which ends with it.
fn within_session<R>(
    read: ReadProgram,
    plan: Plan,
    builds: bool,
    serve: impl FnOnce(&mut Reloads) -> anyhow::Result<R>,
) -> anyhow::Result<R> {
    let (requests, reloads) = Reloads::channel();
    let (session, events) = Session::new(read, plan, builds, requests).context("cannot watch files")?;
    std::thread::scope(|scope| {
        // Dropped last, also after a panic: a session that waits for an outcome goes on without `reloads`, and then stops.
        let _session = RunningSession(events);
        let mut reloads = reloads;
        let thread = std::thread::Builder::new().name("tempo-dev".to_owned());
        thread.spawn_scoped(scope, move || session.run()).context("cannot start the builder")?;
        serve(&mut reloads)
    })
}

/// Stops the session when it is dropped.
struct RunningSession(SyncSender<Event>);

impl Drop for RunningSession {
    fn drop(&mut self) {
        let _ = self.0.send(Event::Stop);
    }
}

/// Returns whether a change of the program's files may remove the cause of `error`.
fn is_fixable(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<Error>().map(Error::kind);
    matches!(kind, Some(ErrorKind::BadComponent | ErrorKind::BadConfiguration | ErrorKind::NotFound))
}
