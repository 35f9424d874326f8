//! Tests of `Watch` with real files.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;

/// Maximum time until a change is reported, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Watched {
    watch: Watch,
    changes: Receiver<Changes>,
    directory: tempfile::TempDir,
}

impl Watched {
    /// Watches these files and folders of a temporary directory, after `prepare`.
    fn new(names: &[&str], system: NewWatcher<Forward>, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let (sender, changes) = channel();
        let deliver = move |changes| drop(sender.send(changes));
        let watch = Watch::start_with(vec![set(directory.path(), names)], deliver, system).unwrap();
        Self { watch, changes, directory }
    }

    fn write(&self, name: &str) {
        std::fs::write(self.directory.path().join(name), "text").unwrap();
    }

    /// Waits for a report with `name`; returns all paths that were reported until then.
    #[track_caller]
    fn wait_for(&self, name: &str) -> BTreeSet<PathBuf> {
        let path = self.directory.path().join(name);
        let mut reported = BTreeSet::new();
        while !reported.contains(&path) {
            reported.extend(self.changes.recv_timeout(PATIENCE).expect("a report").paths);
        }
        reported
    }
}

fn set(directory: &Path, names: &[&str]) -> WatchSet {
    let mut set = WatchSet::default();
    names.iter().for_each(|name| set.add(&directory.join(name)));
    set
}

#[test]
fn a_replaced_file_is_a_change_and_its_neighbours_are_not() {
    let watched = Watched::new(&["tempo.toml"], system, |_| ());
    watched.write("other");
    watched.write("tempo.toml.new");
    std::fs::rename(watched.directory.path().join("tempo.toml.new"), watched.directory.path().join("tempo.toml"))
        .unwrap();
    assert_eq!(watched.wait_for("tempo.toml").len(), 1);
}

#[test]
fn a_new_folder_is_watched_too() {
    let watched = Watched::new(&["src"], system, |_| ());
    let at = |name: &str| watched.directory.path().join(name);
    std::fs::create_dir(at("src")).unwrap();
    watched.wait_for("src");
    std::fs::create_dir_all(at("src/deep")).unwrap();
    watched.wait_for("src/deep");
    watched.write("src/deep/lib.rs");
    watched.wait_for("src/deep/lib.rs");
    // A folder that replaces it has a watch of its own.
    std::fs::rename(at("src"), at("old")).unwrap();
    std::fs::create_dir(at("src")).unwrap();
    watched.wait_for("src");
    watched.write("src/main.rs");
    watched.wait_for("src/main.rs");
}

#[test]
fn a_member_below_a_missing_folder_is_seen() {
    let watched = Watched::new(&["a/b/c.wasm"], system, |_| ());
    std::fs::create_dir_all(watched.directory.path().join("a/b")).unwrap();
    watched.wait_for("a/b/c.wasm");
    watched.write("a/b/c.wasm");
    watched.wait_for("a/b/c.wasm");
}

#[test]
fn what_tools_write_is_not_reported() {
    let folders = |directory: &Path| std::fs::create_dir_all(directory.join("app/target/deep")).unwrap();
    let watched = Watched::new(&["app"], system, folders);
    watched.write("app/target/deep/file");
    watched.write("app/.hidden");
    watched.write("app/a");
    assert_eq!(watched.wait_for("app/a").len(), 1);
}

#[test]
fn other_sets_replace_the_first() {
    let watched = Watched::new(&["a"], system, |_| ());
    watched.watch.set(vec![set(watched.directory.path(), &["b"])]);
    // The new set applies at some time from now on.
    let reported = (0..1000).find_map(|_| {
        watched.write("b");
        watched.changes.recv_timeout(Duration::from_millis(100)).ok()
    });
    assert!(reported.expect("a report").affect(&set(watched.directory.path(), &["b"])));
}

#[test]
fn without_watches_of_the_system_the_files_are_polled() {
    let none = |_: Forward| Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch));
    let watched = Watched::new(&["a"], none, |directory| std::fs::write(directory.join("a"), "").unwrap());
    watched.write("a");
    watched.wait_for("a");
}

#[test]
fn too_many_changes_affect_everything() {
    let mut changes = Changes::default();
    (0..=MAX_PATHS).for_each(|number| changes.add(format!("/{number}").into()));
    assert_eq!((changes.paths.len(), changes.overflowed), (MAX_PATHS, true));
    assert!(changes.affect(&set(Path::new("/elsewhere"), &["a"])));
}
