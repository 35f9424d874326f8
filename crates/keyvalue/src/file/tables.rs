//! The tables of a database file: reads and writes.

use std::ops::Bound;

use bytes::Bytes;
use redb::{
    Database, Error, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, Table,
    TableDefinition, WriteTransaction,
};
use tempo_backend::database;

use super::record::{self, Head};
use super::usage::{self, Usage};
use crate::memory::precondition_failed;
use crate::{Condition, Entry, ErrorKind, Increment, Version};

/// Keys with their records.
const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// The end of each life that has one, with its key.
const EXPIRATIONS: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("expirations");
/// The counters below.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The version of the last write. It only grows, so no version ever comes back.
const VERSION: &str = "version";
/// Maximum expired entries removed per commit.
const MAX_SWEPT_ENTRIES: usize = 256;

/// Why an entry is not written.
pub(super) enum Refusal {
    /// The condition does not hold.
    Condition,
    /// The store would take more than its quota, in bytes.
    Quota(u64),
}

impl From<Refusal> for crate::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Condition => precondition_failed(),
            Refusal::Quota(quota) => {
                Self::new(ErrorKind::QuotaExceeded, format!("the store is full: its quota is {quota} bytes"))
            }
        }
    }
}

/// Makes the tables of a new database, and checks those of an old one. With a `quota`, counts what its entries take if
/// that is not known.
pub(super) fn prepare(database: &Database, quota: Option<u64>) -> Result<(), Error> {
    database::prepare(database, META, |transaction| {
        transaction.open_table(ENTRIES)?;
        transaction.open_table(EXPIRATIONS)?;
        Ok(())
    })?;
    if quota.is_some() {
        let transaction = database.begin_write()?;
        let tables = Tables::open(&transaction, quota)?;
        if tables.usage.as_ref().is_some_and(|usage| !usage.is_written) {
            tables.finish()?;
            transaction.commit()?;
        }
    }
    Ok(())
}

/// Commits a change that changes nothing.
pub(super) fn touch(database: &Database) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::open(&transaction, None)?;
    // A version that is skipped is never given, so the entries and what is known of them still fit.
    let version = tables.version;
    tables.meta.insert(VERSION, version)?;
    drop(tables);
    Ok(transaction.commit()?)
}

/// The entries as they were after one commit. They can be read while others are written.
pub(super) type Snapshot = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The entries as they are now.
pub(super) fn snapshot(database: &Database) -> Result<Snapshot, Error> {
    Ok(database.begin_read()?.open_table(ENTRIES)?)
}

/// Returns the entry under `key` unless it has expired.
pub(super) fn get(entries: &Snapshot, key: &str) -> Result<Option<Entry>, Error> {
    find(entries, key, |head, value| Entry { value: Bytes::copy_from_slice(value), version: head.version })
}

/// Returns the version of the entry under `key` unless it has expired.
pub(super) fn head(entries: &Snapshot, key: &str) -> Result<Option<Version>, Error> {
    find(entries, key, |head, _| head.version)
}

fn find<R>(entries: &Snapshot, key: &str, map: impl FnOnce(Head, &[u8]) -> R) -> Result<Option<R>, Error> {
    let Some(found) = entries.get(key.as_bytes())? else { return Ok(None) };
    let (head, value) = parse(found.value())?;
    Ok(head.lives(record::now()).then(|| map(head, value)))
}

/// The first `limit` living keys that begin with `prefix` and come after `after`.
pub(super) fn keys(entries: &Snapshot, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>, Error> {
    let now = record::now();
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(after.as_bytes()),
        _ => Bound::Included(prefix.as_bytes()),
    };
    let mut keys = Vec::new();
    for entry in entries.range::<&[u8]>((start, Bound::Unbounded))? {
        let (key, found) = entry?;
        if keys.len() >= limit || !key.value().starts_with(prefix.as_bytes()) {
            break;
        }
        if parse(found.value())?.0.lives(now) {
            let key = String::from_utf8(key.value().to_vec());
            keys.push(key.map_err(|_| Error::Corrupted("a key is not UTF-8".into()))?);
        }
    }
    Ok(keys)
}

fn parse(found: &[u8]) -> Result<(Head, &[u8]), Error> {
    record::read(found).ok_or_else(|| Error::Corrupted("a record is too short".into()))
}

/// The tables during one write transaction.
pub(super) struct Tables<'a> {
    entries: Table<'a, &'static [u8], &'static [u8]>,
    expirations: Table<'a, (u64, &'static [u8]), ()>,
    meta: Table<'a, &'static str, u64>,
    version: Version,
    now: u64,
    /// What the entries take and may take, if there is a quota.
    usage: Option<Usage>,
    /// Whether there is something to commit.
    pub(super) changed: bool,
}

impl<'a> Tables<'a> {
    /// With a `quota` in bytes, what the entries take is counted; it is counted anew if something else has written to
    /// the file since.
    pub(super) fn open(transaction: &'a WriteTransaction, quota: Option<u64>) -> Result<Self, Error> {
        let meta = transaction.open_table(META)?;
        let entries = transaction.open_table(ENTRIES)?;
        let version = meta.get(VERSION)?.map_or(0, |version| version.value());
        let usage = match quota {
            Some(quota) => Some(Usage::read(&meta, &entries, version, quota)?),
            None => None,
        };
        Ok(Self {
            entries,
            expirations: transaction.open_table(EXPIRATIONS)?,
            meta,
            version,
            now: record::now(),
            usage,
            changed: false,
        })
    }

    /// Writes `value`, if `condition` holds and the quota is not exceeded.
    pub(super) fn set(
        &mut self,
        key: &str,
        value: &[u8],
        expires: Option<u64>,
        condition: Condition,
    ) -> Result<Result<Version, Refusal>, Error> {
        let (old, freed) = self.head(key)?.unzip();
        let version = old.filter(|head| head.lives(self.now)).map(|head| head.version);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(expected) => version == Some(expected),
        };
        if !holds {
            return Ok(Err(Refusal::Condition));
        }
        if let Some(usage) = &mut self.usage
            && !usage.replace(freed.unwrap_or(0), usage::cost(key.len(), record::size(value.len())))
        {
            return Ok(Err(Refusal::Quota(usage.quota())));
        }
        self.forget_end(key, old)?;
        self.version = self.version.wrapping_add(1);
        self.changed = true;
        let head = Head { version: self.version, expires };
        let mut place = self.entries.insert_reserve(key.as_bytes(), record::size(value.len()))?;
        record::write(place.as_mut(), head, value);
        drop(place);
        if let Some(expires) = expires {
            self.expirations.insert((expires, key.as_bytes()), ())?;
        }
        Ok(Ok(self.version))
    }

    /// Writes `value` over `version`, with the lifetime that the entry has.
    pub(super) fn replace(
        &mut self,
        key: &str,
        value: &[u8],
        version: Version,
    ) -> Result<Result<Version, Refusal>, Error> {
        let expires = self.expiry(key)?;
        self.set(key, value, expires, Condition::Version(version))
    }

    /// Returns when the entry under `key` expires. `None` if it never does, or has expired.
    fn expiry(&self, key: &str) -> Result<Option<u64>, Error> {
        let head = self.head(key)?.map(|(head, _)| head);
        Ok(head.filter(|head| head.lives(self.now)).and_then(|head| head.expires))
    }

    /// Adds to the counter under `key`, with the lifetime that it has. Returns the version of the entry and the sum.
    pub(super) fn increment(
        &mut self,
        key: &str,
        increment: Increment,
    ) -> Result<crate::Result<(Version, i128)>, Error> {
        let sum = match self.entries.get(key.as_bytes())? {
            Some(found) => {
                let (head, value) = parse(found.value())?;
                increment.apply(Some(value).filter(|_| head.lives(self.now)))
            }
            None => increment.apply(None),
        };
        let sum = match sum {
            Ok(sum) => sum,
            Err(error) => return Ok(Err(error)),
        };
        let expires = self.expiry(key)?;
        let written = self.set(key, sum.to_string().as_bytes(), expires, Condition::Always)?;
        Ok(written.map(|version| (version, sum)).map_err(Into::into))
    }

    /// Deletes the entry under `key`. Returns whether it existed.
    pub(super) fn delete(&mut self, key: &str) -> Result<bool, Error> {
        let Some((old, freed)) = self.head(key)? else { return Ok(false) };
        if let Some(usage) = &mut self.usage {
            usage.free(freed);
        }
        self.forget_end(key, Some(old))?;
        self.entries.remove(key.as_bytes())?;
        self.changed = true;
        Ok(true)
    }

    /// Deletes some expired entries, and returns their keys.
    pub(super) fn sweep(&mut self) -> Result<Vec<String>, Error> {
        let end = (self.now.saturating_add(1), [].as_slice());
        let mut expired = Vec::new();
        for found in self.expirations.range::<(u64, &[u8])>(..end)?.take(MAX_SWEPT_ENTRIES) {
            expired.push(String::from_utf8_lossy(found?.0.value().1).into_owned());
        }
        for key in &expired {
            self.delete(key)?;
        }
        Ok(expired)
    }

    /// Stores the last version, and the quota's usage.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.meta.insert(VERSION, self.version)?;
        if let Some(usage) = self.usage {
            usage.write(&mut self.meta, self.version, self.entries.len()?)?;
        }
        Ok(())
    }

    /// What is known of the entry under `key`, and what it costs.
    fn head(&self, key: &str) -> Result<Option<(Head, u64)>, Error> {
        let Some(found) = self.entries.get(key.as_bytes())? else { return Ok(None) };
        let record = found.value();
        Ok(Some((parse(record)?.0, usage::cost(key.len(), record.len()))))
    }

    fn forget_end(&mut self, key: &str, old: Option<Head>) -> Result<(), Error> {
        if let Some(expires) = old.and_then(|head| head.expires) {
            self.expirations.remove((expires, key.as_bytes()))?;
        }
        Ok(())
    }
}
