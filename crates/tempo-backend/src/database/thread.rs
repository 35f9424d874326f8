//! `WriterThread`: joins the thread that owns a database.

use std::thread::JoinHandle;

/// The writer thread of a database. Dropping this joins it, on a blocking thread if there is a runtime. The senders of its
/// requests must be dropped first, since they keep it running: make this the last field.
#[derive(Debug)]
pub struct WriterThread(Option<JoinHandle<()>>);

impl WriterThread {
    pub(super) fn new(thread: JoinHandle<()>) -> Self {
        Self(Some(thread))
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        let join = move || {
            // The panic hook has reported a panic.
            let _ = thread.join();
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(join)),
            Err(_) => join(),
        }
    }
}
