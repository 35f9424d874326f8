//! `WatchThread`: owns the watches, collects the events and reports them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use notify::event::ModifyKind;
use notify::{Event, EventHandler, EventKind};

use super::debounce::Debounce;
use super::directories::{Directories, NewWatcher};
use super::{Changes, WatchSet};

/// A message to the thread.
pub(super) enum Message {
    /// Something has changed.
    Changed(Event),
    /// [`Shared`] has changed.
    Wake,
}

/// The state that a `Watch` shares with its thread.
pub(super) struct Shared {
    /// The sets that the thread has not taken yet.
    sets: Mutex<Option<Vec<WatchSet>>>,
    stopped: AtomicBool,
    /// Whether events were dropped.
    overflowed: AtomicBool,
}

impl Shared {
    pub(super) fn new(sets: Vec<WatchSet>) -> Self {
        Self { sets: Mutex::new(Some(sets)), stopped: AtomicBool::new(false), overflowed: AtomicBool::new(false) }
    }

    pub(super) fn replace(&self, sets: Vec<WatchSet>) {
        *self.sets.lock().unwrap_or_else(PoisonError::into_inner) = Some(sets);
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, SeqCst);
    }

    fn take(&self) -> Option<Vec<WatchSet>> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Sends the system's events to the thread.
#[derive(Clone)]
pub(super) struct Forward {
    shared: Arc<Shared>,
    messages: SyncSender<Message>,
}

impl EventHandler for Forward {
    fn handle_event(&mut self, event: notify::Result<Event>) {
        let Ok(event) = event else { return };
        // Reading a file changes nothing.
        if event.kind.is_access() {
            return;
        }
        if event.need_rescan() || self.messages.try_send(Message::Changed(event)).is_err() {
            self.shared.overflowed.store(true, SeqCst);
            let _ = self.messages.try_send(Message::Wake);
        }
    }
}

/// The thread of a `Watch`.
pub(super) struct WatchThread<D> {
    shared: Arc<Shared>,
    received: Receiver<Message>,
    directories: Directories<Forward>,
    sets: Vec<WatchSet>,
    debounce: Debounce,
    changes: Changes,
    /// Whether files or folders were created, removed or renamed.
    restructured: bool,
    deliver: D,
}

impl<D: FnMut(Changes)> WatchThread<D> {
    /// `system` creates the watcher of the system.
    pub(super) fn new(
        shared: Arc<Shared>,
        messages: SyncSender<Message>,
        received: Receiver<Message>,
        deliver: D,
        system: NewWatcher<Forward>,
    ) -> Self {
        let directories = Directories::new(Forward { shared: shared.clone(), messages }, system);
        Self {
            shared,
            received,
            directories,
            sets: Vec::new(),
            debounce: Debounce::default(),
            changes: Changes::default(),
            restructured: false,
            deliver,
        }
    }

    /// Runs until the `Watch` is dropped. Calls `ready` once the files are watched.
    pub(super) fn run(mut self, ready: impl FnOnce()) {
        let mut ready = Some(ready);
        loop {
            if self.shared.stopped.load(SeqCst) {
                return;
            }
            if let Some(sets) = self.shared.take() {
                self.sets = sets;
                self.directories.update(&self.sets);
            }
            if let Some(ready) = ready.take() {
                ready();
            }
            if self.shared.overflowed.swap(false, SeqCst) {
                (self.changes.overflowed, self.restructured) = (true, true);
                self.debounce.record(Instant::now());
            }
            match self.next() {
                Ok(Message::Changed(event)) => self.record(event),
                Ok(Message::Wake) => {}
                Err(RecvTimeoutError::Timeout) => self.report(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn next(&self) -> Result<Message, RecvTimeoutError> {
        match self.debounce.deadline() {
            Some(deadline) => self.received.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            None => self.received.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    fn record(&mut self, event: Event) {
        let restructures =
            matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        for path in event.paths {
            let mut changed: Vec<PathBuf> = Vec::new();
            if restructures {
                // A folder of the same name is another one, with no watch.
                self.directories.forget(&path);
                self.restructured = true;
                changed.extend(self.sets.iter().flat_map(|set| set.roots_below(&path)).map(Path::to_owned));
            }
            if self.sets.iter().any(|set| set.contains(&path)) {
                changed.push(path);
            }
            if !changed.is_empty() {
                self.debounce.record(Instant::now());
                changed.into_iter().for_each(|path| self.changes.add(path));
            }
        }
    }

    fn report(&mut self) {
        self.debounce.reset();
        // Before the report, so that the next change in a new folder is seen.
        if std::mem::take(&mut self.restructured) {
            self.directories.update(&self.sets);
        }
        (self.deliver)(std::mem::take(&mut self.changes));
    }
}
