//! `Watch`: reports changes of files and folders, once they have been quiet for a moment.
//!
//! Each directory is watched, rather than each file: an editor that replaces a file by renaming another is seen, too. A thread owns
//! the watches, because adding one blocks.

mod debounce;
mod directories;
mod set;
mod thread;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use tempo_settings::Flag;

use self::directories::{NewWatcher, system};
pub(crate) use self::set::WatchSet;
use self::thread::{Forward, Message, Shared, WatchThread};

/// The flag that makes `run` reload the settings when their files or the components change.
pub(crate) const WATCH: Flag = Flag::new("watch", "BOOL", WATCH_HELP).default("false").bare("true").of_process();

const WATCH_HELP: &str =
    "Reload when the settings, the manifest, or a component's file, configuration file or credentials change";

/// Maximum number of events that wait for the thread. If there are more, everything counts as changed.
const MAX_QUEUED_EVENTS: usize = 1024;

/// Changed files and folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Their paths.
    paths: BTreeSet<PathBuf>,
    /// Whether there were too many to list.
    overflowed: bool,
}

/// Maximum number of paths in [`Changes`].
const MAX_PATHS: usize = 1024;

impl Changes {
    /// Adds a path. Too many of them mean that everything has changed.
    fn add(&mut self, path: PathBuf) {
        if self.paths.len() < MAX_PATHS {
            self.paths.insert(path);
        } else {
            self.overflowed = true;
        }
    }

    /// Returns whether a member of `set` has changed.
    pub(crate) fn affect(&self, set: &WatchSet) -> bool {
        self.overflowed || self.paths.iter().any(|path| set.contains(path))
    }

    /// Returns whether a file of this name has changed.
    pub(crate) fn include_file(&self, name: &str) -> bool {
        self.paths.iter().any(|path| path.file_name().is_some_and(|file| file == name))
    }

    /// Returns the name of the first file in `set` that has changed.
    pub(crate) fn first_in(&self, set: &WatchSet) -> Option<String> {
        let path = self.paths.iter().find(|path| set.contains(path))?;
        path.file_name().map(|name| name.to_string_lossy().into_owned())
    }
}

/// Watches files and folders until it is dropped.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches `sets`, and gives their changes to `deliver`, on a thread. Returns once they are watched.
    ///
    /// # Errors
    ///
    /// The system refuses the thread.
    pub(crate) fn start(sets: Vec<WatchSet>, deliver: impl FnMut(Changes) + Send + 'static) -> std::io::Result<Self> {
        Self::start_with(sets, deliver, system)
    }

    fn start_with(
        sets: Vec<WatchSet>,
        deliver: impl FnMut(Changes) + Send + 'static,
        system: NewWatcher<Forward>,
    ) -> std::io::Result<Self> {
        let (messages, received) = sync_channel(MAX_QUEUED_EVENTS);
        let shared = Arc::new(Shared::new(sets));
        let (ready, watched) = sync_channel(1);
        let thread = WatchThread::new(shared.clone(), messages.clone(), received, deliver, system);
        let run = move || {
            thread.run(move || {
                let _ = ready.send(());
            })
        };
        let thread = std::thread::Builder::new().name("tempo-watch".to_owned()).spawn(run)?;
        // Fails only if the thread panics; nothing is watched then.
        let _ = watched.recv();
        Ok(Self { shared, messages, thread: Some(thread) })
    }

    /// Watches `sets` instead of the previous ones.
    pub(crate) fn set(&self, sets: Vec<WatchSet>) {
        self.shared.replace(sets);
        self.wake();
    }

    /// A full queue wakes the thread as well.
    fn wake(&self) {
        let _ = self.messages.try_send(Message::Wake);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.stop();
        self.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
