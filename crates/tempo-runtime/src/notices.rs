//! Warnings about settings. They wait until a server has said where it listens, which is its first line, and are not lost
//! if it never does.

use std::sync::{Mutex, PoisonError};

/// Warnings that have not been logged yet. The last chance is when this is dropped.
#[derive(Default)]
pub struct Notices(Mutex<Vec<String>>);

impl Notices {
    /// Adds a warning.
    pub fn add(&self, warning: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(warning);
    }

    /// Logs what there is.
    pub fn log(&self) {
        for warning in std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            tracing::warn!("{warning}");
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.log();
    }
}
