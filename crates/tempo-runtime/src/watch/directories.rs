//! `Directories`: the system's watches, one for each directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Config, ErrorKind, EventHandler, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};

use super::set::WatchSet;

/// Maximum number of watched directories.
const MAX_DIRECTORIES: usize = 10_000;
/// Interval of polling, if the system has no watches left.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

type BoxWatcher = Box<dyn Watcher + Send>;

/// Creates the watcher of the system.
pub(super) type NewWatcher<H> = fn(H) -> notify::Result<BoxWatcher>;

/// The watches of directories, whose events `handler` gets.
pub(super) struct Directories<H> {
    handler: H,
    system: NewWatcher<H>,
    /// `None` before the first [`update`](Self::update).
    watcher: Option<BoxWatcher>,
    polls: bool,
    watched: BTreeSet<PathBuf>,
}

/// Returns the watcher of the system.
pub(super) fn system<H: EventHandler>(handler: H) -> notify::Result<BoxWatcher> {
    Ok(Box::new(RecommendedWatcher::new(handler, Config::default())?))
}

impl<H: EventHandler + Clone> Directories<H> {
    pub(super) fn new(handler: H, system: NewWatcher<H>) -> Self {
        Self { handler, system, watcher: None, polls: false, watched: BTreeSet::new() }
    }

    /// Forgets the watches of `path` and of all below, because it was created, removed or renamed.
    pub(super) fn forget(&mut self, path: &Path) {
        let from_path = self.watched.range(path.to_owned()..);
        let gone: Vec<PathBuf> = from_path.take_while(|watched| watched.starts_with(path)).cloned().collect();
        for directory in gone {
            self.remove(&directory);
        }
    }

    /// Watches the directories of `sets`, and no others.
    pub(super) fn update(&mut self, sets: &[WatchSet]) {
        let wanted = directories(sets);
        let unwanted: Vec<PathBuf> = self.watched.difference(&wanted).cloned().collect();
        for directory in unwanted {
            self.remove(&directory);
        }
        if let Err(error) = self.add(&wanted) {
            tracing::warn!("the system cannot watch all files ({error}): looking for changes every {POLL_INTERVAL:?}");
            self.polls = true;
            self.watcher = None;
            self.watched.clear();
            // Only the watches of the system are limited.
            let _ = self.add(&wanted);
        }
    }

    /// # Errors
    ///
    /// The system has no watches left.
    fn add(&mut self, wanted: &BTreeSet<PathBuf>) -> notify::Result<()> {
        let mut watcher = match self.watcher.take() {
            Some(watcher) => watcher,
            None => self.new_watcher()?,
        };
        for directory in wanted {
            if self.watched.contains(directory) {
                continue;
            }
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(directory.clone())),
                Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => return Err(error),
                // It may have been removed since.
                Err(error) => tracing::debug!("cannot watch {}: {error}", directory.display()),
            }
        }
        self.watcher = Some(watcher);
        Ok(())
    }

    fn new_watcher(&self) -> notify::Result<BoxWatcher> {
        if !self.polls {
            return (self.system)(self.handler.clone());
        }
        // The times of files have seconds only.
        let config = Config::default().with_poll_interval(POLL_INTERVAL).with_compare_contents(true);
        Ok(Box::new(PollWatcher::new(self.handler.clone(), config)?))
    }

    fn remove(&mut self, directory: &Path) {
        self.watched.remove(directory);
        if let Some(watcher) = &mut self.watcher {
            // A directory that was removed has no watch.
            let _ = watcher.unwatch(directory);
        }
    }
}

/// Returns the existing directories of `sets`, and the ones that contain their members, or will once they exist.
fn directories(sets: &[WatchSet]) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for set in sets {
        for root in set.roots() {
            found.extend(root.ancestors().skip(1).find(|ancestor| ancestor.is_dir()).map(Path::to_owned));
            walk(set, root, &mut found);
        }
    }
    if found.len() > MAX_DIRECTORIES {
        tracing::warn!("more than {MAX_DIRECTORIES} folders to watch: the changes of some are missed");
        found = found.into_iter().take(MAX_DIRECTORIES).collect();
    }
    found
}

/// Adds the directories of `set` in `root`. Symbolic links are not followed, as they may form a cycle.
fn walk(set: &WatchSet, root: &Path, found: &mut BTreeSet<PathBuf>) {
    let mut remaining = vec![root.to_owned()];
    while let Some(directory) = remaining.pop()
        && found.len() <= MAX_DIRECTORIES
    {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        found.insert(directory);
        let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        remaining.extend(folders.map(|entry| entry.path()).filter(|path| set.is_in(root, path)));
    }
}
