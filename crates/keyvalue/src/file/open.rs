//! Opens the database of a store, once per process.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use redb::Database;
use tempo_backend::database::{DatabaseFile, Databases, Disk, MAX_QUEUED_REQUESTS};
use tokio::sync::mpsc;

use super::writer::Writer;
use super::{Published, Shared, tables};

static DATABASES: LazyLock<Databases<Shared>> = LazyLock::new(|| Databases::new("keyvalue"));

/// Returns the database at `path`: the open one of this process, or a new one on `disk`.
pub(super) async fn shared(
    path: &Path,
    quota: Option<u64>,
    disk: Box<dyn Disk>,
) -> tempo_settings::Result<Arc<Shared>> {
    let (requests, receiver) = mpsc::channel(MAX_QUEUED_REQUESTS);
    let start = move |file: DatabaseFile, database: Database| {
        tables::prepare(&database, quota)?;
        let published = Arc::new(Published::new(tables::snapshot(&database)?, file.fault().clone()));
        let writer = Writer::new(file, database, published.clone(), quota);
        Ok((published, move || writer.run(receiver)))
    };
    let share = |published, thread| Shared { published, requests, _thread: thread };
    DATABASES.open(path, quota, disk, start, share).await
}
