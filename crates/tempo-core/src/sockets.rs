//! The open sockets of one store, which count as open files.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

use crate::{OpenFile, OpenFiles};

/// The open sockets of a store, by the `rep` of their resource. Resources of all types share one table of reps.
///
/// A socket that the guest creates has an entry from its creation. An accepted connection is counted by an [`Acceptor`] before
/// it has a resource, and gets an entry when the guest uses it.
#[derive(Debug, Default)]
pub struct Sockets {
    open: HashMap<u32, OpenFile>,
    accepted: Accepted,
}

/// Accepted connections without an entry. Which of them is which resource does not matter for the count.
#[derive(Clone, Debug, Default)]
struct Accepted(Arc<Mutex<Vec<OpenFile>>>);

impl Accepted {
    fn files(&self) -> MutexGuard<'_, Vec<OpenFile>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts accepted connections. Listening sockets accept without access to the store.
#[derive(Clone, Debug)]
pub struct Acceptor {
    files: OpenFiles,
    accepted: Accepted,
}

impl Acceptor {
    /// Counts a connection until its socket is dropped. Returns false if that would exceed the limit.
    pub fn accept(&self) -> bool {
        let file = self.files.open(1);
        file.map(|file| self.accepted.files().push(file)).is_some()
    }
}

impl Sockets {
    /// Returns the acceptor of the store's listening sockets, which counts in `files`.
    pub fn acceptor(&self, files: &OpenFiles) -> Acceptor {
        Acceptor { files: files.clone(), accepted: self.accepted.clone() }
    }

    /// Counts the socket until it is dropped. If `socket` is an error, `file` is closed.
    pub fn insert<S, E>(&mut self, socket: &Result<Resource<S>, E>, file: OpenFile) {
        if let Ok(socket) = socket {
            self.open.insert(socket.rep(), file);
        }
    }

    /// Returns the open file of the socket `rep`, for its streams.
    pub fn get(&mut self, rep: u32) -> Option<OpenFile> {
        if let Some(file) = self.open.get(&rep) {
            return Some(file.clone());
        }
        let file = self.accepted.files().pop()?;
        self.open.insert(rep, file.clone());
        Some(file)
    }

    /// Deletes the socket `rep` from `table` and stops counting it: the destructor of the resource.
    ///
    /// # Errors
    ///
    /// The resource is not in `table`, or has children.
    pub fn drop<S: 'static>(&mut self, table: &mut ResourceTable, rep: u32) -> Result<(), ResourceTableError> {
        table.delete(Resource::<S>::new_own(rep))?;
        if self.open.remove(&rep).is_none() {
            self.accepted.files().pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn accepted_connections_are_counted_until_they_are_dropped() {
        let files = OpenFiles::new(&Limits { open_files: 3, ..Limits::default() });
        let (mut sockets, mut table) = (Sockets::default(), ResourceTable::new());
        let acceptor = sockets.acceptor(&files);
        let listener = table.push("listener");
        sockets.insert(&listener, files.open(1).unwrap());
        assert!(acceptor.accept() && acceptor.accept());
        assert!(!acceptor.accept(), "one above the limit");
        let (first, second) = (table.push("first").unwrap(), table.push("second").unwrap());
        // A stream of the first connection outlives its socket.
        let stream = sockets.get(first.rep()).unwrap();
        sockets.drop::<&str>(&mut table, first.rep()).unwrap();
        assert!(!acceptor.accept());
        drop(stream);
        assert!(acceptor.accept());
        sockets.drop::<&str>(&mut table, second.rep()).unwrap();
        assert_eq!(files.count(), 2);
        sockets.drop::<&str>(&mut table, listener.unwrap().rep()).unwrap();
        assert_eq!(files.count(), 1, "the listener's own entry");
    }
}
