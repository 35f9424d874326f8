//! `Session`: watches the files of a program, runs the builds, and requests a reload after each.

use std::io;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tempo_settings::one_line;
use tokio::sync::oneshot;

use super::output::{Elapsed, Printer};
use super::plan::{Build, Plan};
use super::process::BuildProcess;
use super::process_group;
use super::target::{Target, TargetState};
use crate::boot::ReadProgram;
use crate::reloads::{ReloadOutcome, ReloadRequest, ReloadSender};
use crate::watch::{Changes, Watch};

/// Maximum number of events that wait for the session.
const MAX_EVENTS: usize = 16;
/// Time for a superseded build to end before it is killed.
const TERMINATION_GRACE: Duration = Duration::from_secs(1);

/// An event of a session.
pub(super) enum Event {
    /// Files have changed.
    Changed(Changes),
    /// The running build has ended.
    Ended(io::Result<ExitStatus>),
    /// The program stops.
    Stop,
}

/// The build that runs.
struct RunningBuild {
    process: BuildProcess,
    build: Build,
    started: Instant,
    /// When to kill it, if its result is no longer needed.
    superseded: Option<Instant>,
}

/// The reason why there is no new plan.
enum PlanError {
    /// The settings are invalid.
    Settings(String),
    /// Cargo refuses the project of a component.
    Project(String),
}

/// Watches and builds the components of a program.
pub(super) struct Session {
    /// Reads the program and its settings.
    read: ReadProgram,
    /// Whether it runs builds, or watches only.
    builds: bool,
    requests: ReloadSender,
    /// Dropped before `watch`, whose thread may wait for a place in the queue.
    events: Receiver<Event>,
    sender: SyncSender<Event>,
    printer: Printer,
    watch: Watch,
    plan: Plan,
    targets: Vec<Target>,
    running: Option<RunningBuild>,
}

impl RunningBuild {
    /// Ends it, because its result is no longer needed.
    fn supersede(&mut self) {
        self.process.terminate();
        self.superseded.get_or_insert(Instant::now() + TERMINATION_GRACE);
    }
}

impl Session {
    /// Creates the session of `plan`, whose files are watched from now on. `builds` is whether it runs builds, or only requests
    /// reloads. Returns it with the sender of its events.
    ///
    /// # Errors
    ///
    /// The system refuses a thread.
    pub(super) fn new(
        read: ReadProgram,
        plan: Plan,
        builds: bool,
        requests: ReloadSender,
    ) -> io::Result<(Self, SyncSender<Event>)> {
        let (sender, events) = sync_channel(MAX_EVENTS);
        let changed = sender.clone();
        let watch = Watch::start(plan.sets(), move |changes| drop(changed.send(Event::Changed(changes))))?;
        let targets = plan.builds.iter().cloned().map(Target::new).collect();
        let session = Self {
            read,
            builds,
            requests,
            events,
            sender: sender.clone(),
            printer: Printer::new(),
            watch,
            plan,
            targets,
            running: None,
        };
        Ok((session, sender))
    }

    /// Runs until [`Event::Stop`].
    pub(super) fn run(mut self) {
        if self.builds && self.targets.is_empty() {
            self.reload("started");
        }
        loop {
            self.start_next();
            match self.next() {
                Ok(Event::Changed(changes)) => self.changed(&changes),
                Ok(Event::Ended(result)) => self.ended(result),
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => self.kill_superseded(),
            }
        }
    }

    fn next(&self) -> Result<Event, RecvTimeoutError> {
        match self.running.as_ref().and_then(|running| running.superseded) {
            Some(kill_at) => self.events.recv_timeout(kill_at.saturating_duration_since(Instant::now())),
            None => self.events.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// Starts the build of the next component that needs one. Builds run one at a time: Cargo locks its target directory.
    fn start_next(&mut self) {
        while self.running.is_none()
            && let Some(target) = self.targets.iter_mut().find(|target| target.state == TargetState::Pending)
        {
            let (printer, name) = (self.printer, target.build.component.clone());
            printer.build(&name, target.build.command.text());
            target.state = TargetState::Running;
            let (command, sender) = (target.build.command.process(printer.has_colors()), self.sender.clone());
            let line = {
                let name = name.clone();
                move |line: &str| printer.build(&name, line)
            };
            let started = Instant::now();
            match BuildProcess::start(command, line, move |result| drop(sender.send(Event::Ended(result)))) {
                Ok(process) => {
                    let build = target.build.clone();
                    self.running = Some(RunningBuild { process, build, started, superseded: None });
                }
                Err(error) => {
                    target.state = TargetState::Failed;
                    printer.failure(&format!("{name}: cannot start the build: {error}"));
                }
            }
        }
    }

    fn kill_superseded(&mut self) {
        if let Some(running) = &mut self.running {
            running.process.kill();
            running.superseded = Some(Instant::now() + TERMINATION_GRACE);
        }
    }

    fn changed(&mut self, changes: &Changes) {
        for target in self.targets.iter_mut().filter(|target| changes.affect(&target.build.sources)) {
            target.state = TargetState::Pending;
            if let Some(running) = self.running.as_mut().filter(|running| running.build == target.build) {
                running.supersede();
            }
        }
        if changes.affect(&self.plan.files) {
            let reason = changes.first_in(&self.plan.files).unwrap_or_else(|| "many files".to_owned()) + " changed";
            self.settings_changed(&reason);
        } else if self.builds && changes.include_file("Cargo.toml") {
            // A package may have another path dependency now. Cargo reports mistakes when it builds.
            let _ = self.read_plan();
        }
    }

    fn settings_changed(&mut self, reason: &str) {
        match self.read_plan() {
            // What serves reports the error of its reload.
            Err(PlanError::Settings(error)) if !self.is_built() => self.printer.failure(&format!("error: {error}")),
            Err(PlanError::Project(error)) => self.printer.failure(&format!("error: {error}")),
            Ok(()) | Err(PlanError::Settings(_)) => {}
        }
        if self.is_built() {
            // What serves logs the outcome.
            let request = ReloadRequest { reason: reason.to_owned(), done: None };
            let _ = self.requests.blocking_send(request);
        }
    }

    /// Reads the settings again: other components may be built, and other files watched.
    fn read_plan(&mut self) -> Result<(), PlanError> {
        let (program, loaded) = (self.read)().map_err(|error| PlanError::Settings(one_line(error.as_ref())))?;
        // What serves logs them.
        loaded.notices.discard();
        let plan = match self.builds {
            true => Plan::of(&program, &loaded).map_err(PlanError::Project)?,
            false => Plan::without_builds(&program, &loaded),
        };
        let previous = std::mem::take(&mut self.targets);
        self.targets = plan.builds.iter().map(|build| Target::after(&previous, build)).collect();
        if let Some(running) = &mut self.running
            && !self.targets.iter().any(|target| target.build == running.build)
        {
            running.supersede();
        }
        self.watch.set(plan.sets());
        self.plan = plan;
        Ok(())
    }

    /// Returns whether each component has been built once.
    fn is_built(&self) -> bool {
        self.targets.iter().all(|target| target.was_built)
    }

    fn ended(&mut self, result: io::Result<ExitStatus>) {
        let Some(running) = self.running.take().filter(|running| running.superseded.is_none()) else { return };
        let Some(target) = self.targets.iter_mut().find(|target| target.build == running.build) else { return };
        let (name, elapsed) = (target.build.component.clone(), Elapsed(running.started.elapsed()));
        match result {
            Ok(status) if status.success() => {
                target.state = TargetState::Built;
                target.was_built = true;
                self.built(&name, &elapsed);
            }
            // The build has not failed: this process ends it.
            _ if process_group::are_ending() => target.state = TargetState::Failed,
            result => {
                target.state = TargetState::Failed;
                let why = result.map_or_else(|error| error.to_string(), |status| status.to_string());
                let rest = if self.is_built() { "the last build is still served" } else { "waiting for a change" };
                self.printer.failure(&format!("{name}: build failed after {elapsed} ({why}); {rest}"));
            }
        }
    }

    fn built(&mut self, name: &str, elapsed: &Elapsed) {
        let outcome = if self.is_built() { self.reload(&format!("{name} was built")) } else { None };
        match outcome {
            // The program is not served yet.
            None => self.printer.success(&format!("{name}: built in {elapsed}")),
            Some(Ok(reloaded)) if reloaded.components.iter().any(|component| component == name) => {
                let swapped = Elapsed(reloaded.duration);
                self.printer.success(&format!("{name}: built in {elapsed}, swapped in {swapped}"));
            }
            Some(Ok(_)) => self.printer.success(&format!("{name}: built in {elapsed}, unchanged")),
            Some(Err(reason)) => {
                self.printer.failure(&format!(
                    "{name}: built in {elapsed}, not swapped; the last one is still served: {reason}"
                ));
            }
        }
    }

    /// Requests a reload. Returns its outcome, or `None` if the program does not serve.
    fn reload(&self, reason: &str) -> Option<ReloadOutcome> {
        let (done, outcome) = oneshot::channel();
        let request = ReloadRequest { reason: reason.to_owned(), done: Some(done) };
        self.requests.blocking_send(request).ok()?;
        outcome.blocking_recv().ok()
    }
}
