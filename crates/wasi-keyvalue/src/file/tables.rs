//! The tables of a database file, and what is read from them and written to them.

use std::ops::Bound;

use bytes::Bytes;
use redb::{
    Database, Error, ReadOnlyTable, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition, WriteTransaction,
};

use super::record::{self, Head};
use crate::{Condition, Entry, Version};

/// Keys with their records.
const ENTRIES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("entries");
/// The end of each life that has one, with its key.
const EXPIRATIONS: TableDefinition<(u64, &[u8]), ()> = TableDefinition::new("expirations");
/// What is known of the store: the numbers below.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// The version of the last write. It only grows, so no version ever comes back.
const VERSION: &str = "version";
/// How the tables are laid out.
const FORMAT: &str = "format";
const CURRENT_FORMAT: u64 = 1;
/// Ends of lives that one group of writes tidies up at most.
const SWEEP: usize = 256;

/// Makes the tables of a new database, and checks those of an old one.
pub(super) fn prepare(database: &Database) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    let new = transaction.list_tables()?.next().is_none();
    let mut meta = transaction.open_table(META)?;
    if new {
        meta.insert(FORMAT, CURRENT_FORMAT)?;
        drop(meta);
        transaction.open_table(ENTRIES)?;
        transaction.open_table(EXPIRATIONS)?;
        return Ok(transaction.commit()?);
    }
    let format = meta.get(FORMAT)?.map(|format| format.value());
    drop(meta);
    transaction.abort()?;
    match format {
        Some(CURRENT_FORMAT) => Ok(()),
        Some(other) => Err(Error::Corrupted(format!("format {other} is not known to this version"))),
        None => Err(Error::Corrupted("it is the database of another program".into())),
    }
}

/// The entries as they were after one commit. They can be read while others are written.
pub(super) type Snapshot = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The entries as they are now.
pub(super) fn snapshot(database: &Database) -> Result<Snapshot, Error> {
    Ok(database.begin_read()?.open_table(ENTRIES)?)
}

/// The entry under `key`, if it lives.
pub(super) fn get(entries: &Snapshot, key: &str) -> Result<Option<Entry>, Error> {
    let Some(found) = entries.get(key.as_bytes())? else { return Ok(None) };
    let (head, value) = parse(found.value())?;
    let lives = head.lives(record::now());
    Ok(lives.then(|| Entry { value: Bytes::copy_from_slice(value), version: head.version }))
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
    /// Whether there is something to commit.
    pub(super) changed: bool,
}

impl<'a> Tables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, Error> {
        let meta = transaction.open_table(META)?;
        let version = meta.get(VERSION)?.map_or(0, |version| version.value());
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            expirations: transaction.open_table(EXPIRATIONS)?,
            meta,
            version,
            now: record::now(),
            changed: false,
        })
    }

    /// Writes `value`, if `condition` holds; else `None`.
    pub(super) fn set(
        &mut self,
        key: &str,
        value: &[u8],
        expires: Option<u64>,
        condition: Condition,
    ) -> Result<Option<Version>, Error> {
        let old = self.head(key)?;
        let version = old.filter(|head| head.lives(self.now)).map(|head| head.version);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => version.is_none(),
            Condition::Version(expected) => version == Some(expected),
        };
        if !holds {
            return Ok(None);
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
        Ok(Some(self.version))
    }

    /// Deletes the entry under `key`. Tells whether there was one.
    pub(super) fn delete(&mut self, key: &str) -> Result<bool, Error> {
        let Some(old) = self.head(key)? else { return Ok(false) };
        self.forget_end(key, Some(old))?;
        self.entries.remove(key.as_bytes())?;
        self.changed = true;
        Ok(true)
    }

    /// Deletes some of what has expired, and tells the keys.
    pub(super) fn sweep(&mut self) -> Result<Vec<String>, Error> {
        let end = (self.now.saturating_add(1), [].as_slice());
        let mut expired = Vec::new();
        for found in self.expirations.range::<(u64, &[u8])>(..end)?.take(SWEEP) {
            expired.push(String::from_utf8_lossy(found?.0.value().1).into_owned());
        }
        for key in &expired {
            self.delete(key)?;
        }
        Ok(expired)
    }

    /// Writes down the last version.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.meta.insert(VERSION, self.version)?;
        Ok(())
    }

    fn head(&self, key: &str) -> Result<Option<Head>, Error> {
        let found = self.entries.get(key.as_bytes())?;
        found.map(|found| parse(found.value()).map(|(head, _)| head)).transpose()
    }

    fn forget_end(&mut self, key: &str, old: Option<Head>) -> Result<(), Error> {
        if let Some(expires) = old.and_then(|head| head.expires) {
            self.expirations.remove((expires, key.as_bytes()))?;
        }
        Ok(())
    }
}
