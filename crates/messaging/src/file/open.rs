//! Opens the database of a broker, once per process.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use redb::Database;
use tempo_backend::database::{DatabaseFile, Databases, Disk, MAX_QUEUED_REQUESTS};
use tokio::sync::mpsc;

use super::writer::Writer;
use super::{FileLog, load, tables};
use crate::engine::{Clock, DEDUP_WINDOW_MILLIS, Engine, State};

static DATABASES: LazyLock<Databases<Engine<FileLog>>> = LazyLock::new(|| Databases::new("messaging"));

/// Returns the engine over the database at `path`: the open one of this process, or a new one on `disk`.
pub(super) async fn shared(
    path: &Path,
    capacity: usize,
    clock: Clock,
    disk: Box<dyn Disk>,
) -> tempo_settings::Result<Arc<Engine<FileLog>>> {
    let (requests, receiver) = mpsc::channel(MAX_QUEUED_REQUESTS);
    let start = move |file: DatabaseFile, database: Database| {
        tables::prepare(&database)?;
        let mut state = State::new(capacity, DEDUP_WINDOW_MILLIS);
        load::load(&database, &mut state)?;
        let name = file.path().file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let fault = file.fault().clone();
        let writer = Writer::new(file, database);
        Ok(((name, state, fault), move || writer.run(receiver)))
    };
    let share =
        |(name, state, fault), thread| Engine::new(name, clock, state, FileLog { requests, fault, _thread: thread });
    DATABASES.open(path, u64::try_from(capacity).ok(), disk, start, share).await
}
