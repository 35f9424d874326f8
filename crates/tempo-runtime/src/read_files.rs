//! The files that a component reads when it is connected, such as that of `--config-file`: a reload compares them.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempo_settings::{Flag, Settings};

use crate::registry::ServiceEntry;

/// The state of a file that a setting names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReadFile {
    flag: &'static str,
    /// Length and time of the last change. `None` if the file is absent.
    state: Option<(u64, Option<SystemTime>)>,
}

/// Returns the paths of the files that `settings` name with `flags`.
pub(crate) fn paths<'a>(
    flags: impl IntoIterator<Item = &'a Flag>,
    settings: &Settings,
) -> Vec<(&'static str, PathBuf)> {
    let read_once = flags.into_iter().filter(|flag| flag.read_once);
    // A value that is no path is an error elsewhere.
    read_once.filter_map(|flag| Some((flag.name, settings.get::<PathBuf>(flag).ok()??))).collect()
}

/// Returns the state of the files that `settings` name for `services`.
pub(crate) fn read_files(services: &[&ServiceEntry], settings: &Settings) -> Vec<ReadFile> {
    let flags = services.iter().flat_map(|service| &service.flags);
    paths(flags, settings).into_iter().map(|(flag, path)| ReadFile { flag, state: state(&path) }).collect()
}

impl ReadFile {
    /// Returns whether it is a file of `service`.
    pub(crate) fn is_of(&self, service: &ServiceEntry) -> bool {
        service.flags.iter().any(|flag| flag.name == self.flag)
    }
}

fn state(path: &Path) -> Option<(u64, Option<SystemTime>)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}
