//! Warnings about settings, deferred until the runtime has written its address, which is the first line.

use std::sync::{Mutex, PoisonError};

/// Deferred warnings. Dropping it logs those that are left.
#[derive(Default)]
pub(crate) struct Notices(Mutex<Vec<String>>);

impl Notices {
    /// Adds a warning, unless it is there already.
    pub(crate) fn add(&self, warning: String) {
        let mut warnings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    /// Logs and removes all warnings.
    pub(crate) fn log(&self) {
        for warning in std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            tracing::warn!("{warning}");
        }
    }

    /// Removes all warnings, because settings that are read another time have the same ones.
    pub(crate) fn discard(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.log();
    }
}
