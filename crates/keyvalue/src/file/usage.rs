//! What the entries of a database take, for the quota: written down with each commit, so that it is true after a crash.

use redb::{Error, ReadableTable, Table};

use crate::Version;

/// What an entry takes besides its key and value, in bytes: its record's head, and its share of the tree.
const OVERHEAD: u64 = 64;
/// What all entries take, in bytes, and after which version and with how many entries that was so. A version of the
/// program that does not count changes one of the two.
const USED: &str = "used";
const USED_VERSION: &str = "used-version";
const USED_ENTRIES: &str = "used-entries";

/// What an entry costs whose key and record have these lengths.
pub(super) fn cost(key: usize, record: usize) -> u64 {
    (key as u64).saturating_add(super::record::value_size(record) as u64).saturating_add(OVERHEAD)
}

/// What the entries take and may take, in bytes.
pub(super) struct Usage {
    used: u64,
    quota: u64,
    /// Whether that is what is written down.
    pub(super) is_written: bool,
}

impl Usage {
    /// What is written down in `meta`, or what `entries` add up to if that does not fit to them.
    pub(super) fn read(
        meta: &impl ReadableTable<&'static str, u64>,
        entries: &impl ReadableTable<&'static [u8], &'static [u8]>,
        version: Version,
        quota: u64,
    ) -> Result<Self, Error> {
        let number = |name| Ok::<_, Error>(meta.get(name)?.map(|found| found.value()));
        let fits = number(USED_VERSION)? == Some(version) && number(USED_ENTRIES)? == Some(entries.len()?);
        if let Some(used) = number(USED)?.filter(|_| fits) {
            return Ok(Self { used, quota, is_written: true });
        }
        let mut used = 0u64;
        for entry in entries.iter()? {
            let (key, record) = entry?;
            used = used.saturating_add(cost(key.value().len(), record.value().len()));
        }
        Ok(Self { used, quota, is_written: false })
    }

    /// The most that the entries may take.
    pub(super) fn quota(&self) -> u64 {
        self.quota
    }

    /// Counts that something of the cost `old` is replaced by something of the cost `new`, unless that is more and would
    /// exceed the quota. Returns whether it is counted.
    pub(super) fn replace(&mut self, old: u64, new: u64) -> bool {
        let used = self.used.saturating_sub(old).saturating_add(new);
        let fits = new <= old || used <= self.quota;
        if fits {
            self.used = used;
        }
        fits
    }

    /// Counts that something of the cost `old` is gone.
    pub(super) fn free(&mut self, old: u64) {
        self.used = self.used.saturating_sub(old);
    }

    /// Writes it down, as it is after `version` with so many `entries`.
    pub(super) fn write(
        self,
        meta: &mut Table<'_, &'static str, u64>,
        version: Version,
        entries: u64,
    ) -> Result<(), Error> {
        for (name, value) in [(USED, self.used), (USED_VERSION, version), (USED_ENTRIES, entries)] {
            meta.insert(name, value)?;
        }
        Ok(())
    }
}
