//! `ProcessGroup`: the processes of a build. All of them end when this process does, also when a signal ends it.

use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Time for builds to remove unfinished files when the process ends.
const EXIT_GRACE: Duration = Duration::from_millis(100);

/// The running groups of this process.
static RUNNING: Mutex<Running> = Mutex::new(Running { ending: false, groups: Vec::new() });

struct Running {
    /// Whether the process ends: no further group starts.
    ending: bool,
    /// The ids of their first processes, which have not been waited for.
    groups: Vec<u32>,
}

/// A process and its descendants.
#[derive(Clone, Debug)]
pub(super) struct ProcessGroup {
    id: u32,
}

/// Ends all groups, because the process ends. Those that ignore the request are killed.
pub(crate) fn end_all() {
    let groups = {
        let mut running = running();
        running.ending = true;
        running.groups.clone()
    };
    if groups.is_empty() {
        return;
    }
    let all = || groups.iter().map(|id| ProcessGroup { id: *id });
    all().for_each(|group| group.terminate());
    std::thread::sleep(EXIT_GRACE);
    all().for_each(|group| group.kill());
}

/// Returns whether [`end_all`] has been called.
pub(super) fn are_ending() -> bool {
    running().ending
}

impl ProcessGroup {
    /// Starts `command` in a group of its own.
    ///
    /// # Errors
    ///
    /// The program cannot be started, or this process ends.
    pub(super) fn spawn(command: &mut Command) -> io::Result<(Self, Child)> {
        let mut running = running();
        if running.ending {
            return Err(io::Error::other("the process ends"));
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command.spawn()?;
        running.groups.push(child.id());
        Ok((Self { id: child.id() }, child))
    }

    /// Waits until the first process has exited; it has no group to signal from then on.
    ///
    /// # Errors
    ///
    /// The system refuses to wait.
    pub(super) fn wait_for_exit(&self, child: &mut Child) -> io::Result<()> {
        let exited = wait_without_reaping(child);
        // Before the id is free for another process.
        running().groups.retain(|id| *id != self.id);
        exited
    }

    /// Asks the processes to end.
    pub(super) fn terminate(&self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::TERM);
    }

    /// Ends the processes.
    pub(super) fn kill(&self) {
        #[cfg(unix)]
        self.signal(rustix::process::Signal::KILL);
    }

    #[cfg(unix)]
    fn signal(&self, signal: rustix::process::Signal) {
        let running = running();
        let id = i32::try_from(self.id).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id.filter(|_| running.groups.contains(&self.id)) {
            // Fails if all have ended.
            let _ = rustix::process::kill_process_group(id, signal);
        }
    }
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn wait_without_reaping(child: &Child) -> io::Result<()> {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(id) = id else { return Ok(()) };
    loop {
        match waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Err(rustix::io::Errno::INTR) => {}
            waited => return waited.map(drop).map_err(io::Error::from),
        }
    }
}

#[cfg(not(unix))]
fn wait_without_reaping(child: &mut Child) -> io::Result<()> {
    child.wait().map(drop)
}
