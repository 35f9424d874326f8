//! Sequences of messages that are values. The server's expected last sequence also matches a marker, so a conditional write first
//! checks that the version is a value; this cache saves the read if the version was read or written recently.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tempo_keyvalue::Version;

/// Maximum number of sequences: 8 KiB per store.
const SLOTS: usize = 1024;

/// Versions that were read or written recently. Messages are immutable, so entries stay valid.
pub(super) struct RecentValues {
    places: Box<[AtomicU64]>,
}

impl RecentValues {
    pub(super) fn new() -> Self {
        // No message has the sequence 0.
        Self { places: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Inserts a version, in place of the one in its slot.
    pub(super) fn note(&self, version: Version) {
        if let Some(place) = self.place(version) {
            place.store(version, Relaxed);
        }
    }

    pub(super) fn is_value(&self, version: Version) -> bool {
        self.place(version).is_some_and(|place| place.load(Relaxed) == version && version != 0)
    }

    fn place(&self, version: Version) -> Option<&AtomicU64> {
        let place = usize::try_from(version % SLOTS as u64).ok()?;
        self.places.get(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_known_until_its_place_is_taken() {
        let seen = RecentValues::new();
        assert!(!seen.is_value(0) && !seen.is_value(7));
        seen.note(7);
        seen.note(8);
        assert!(seen.is_value(7) && seen.is_value(8) && !seen.is_value(7 + SLOTS as u64));
        seen.note(7 + SLOTS as u64);
        assert!(!seen.is_value(7) && seen.is_value(8) && seen.is_value(7 + SLOTS as u64));
    }
}
