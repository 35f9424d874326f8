//! The tables of a database file, and how changes are applied to them.

use std::ops::Bound;

use bytes::Bytes;
use redb::{Database, Error, ReadableTable as _, Table, TableDefinition, WriteTransaction};
use tempo_backend::database;

use super::record::{self, Head, Letter};
use crate::DeadLetter;
use crate::engine::{Change, DeadLetterRecord, Fingerprint, Progress, Stored};

/// Messages by sequence, without payloads.
pub(super) const HEADS: TableDefinition<u64, &[u8]> = TableDefinition::new("heads");
const PAYLOADS: TableDefinition<u64, &[u8]> = TableDefinition::new("payloads");
/// Progress of consumers: by sequence and consumer, the number of deliveries and the time of the next.
pub(super) const PROGRESS: TableDefinition<(u64, u32), (u32, u64)> = TableDefinition::new("progress");
pub(super) const CONSUMERS: TableDefinition<u32, &[u8]> = TableDefinition::new("consumers");
/// Dead letters, without payloads.
pub(super) const LETTERS: TableDefinition<u64, &[u8]> = TableDefinition::new("letters");
const LETTER_PAYLOADS: TableDefinition<u64, &[u8]> = TableDefinition::new("letter-payloads");
/// Message ids by expiry, so that ids added or removed together are adjacent.
pub(super) const IDS: TableDefinition<(u64, Fingerprint), ()> = TableDefinition::new("ids");
/// The counters below.
pub(super) const META: TableDefinition<&str, u64> = TableDefinition::new("messaging");
/// Keys of the last sequences, which are never reused.
pub(super) const SEQUENCE: &str = "sequence";
pub(super) const LETTER: &str = "letter";
/// Stored in place of the number of deliveries once the consumer is done.
const DONE: u32 = u32::MAX;

/// Creates the tables of a new database, and checks the format of an existing one.
pub(super) fn prepare(database: &Database) -> Result<(), Error> {
    database::prepare(database, META, |transaction| Tables::open(transaction, false).map(drop))
}

/// Decodes a row of [`PROGRESS`].
pub(super) fn progress((attempts, not_before): (u32, u64)) -> Progress {
    if attempts == DONE { Progress::Done } else { Progress::Delivered { attempts, not_before } }
}

/// The tables during one write transaction.
pub(super) struct Tables<'a> {
    heads: Table<'a, u64, &'static [u8]>,
    payloads: Table<'a, u64, &'static [u8]>,
    progress: Table<'a, (u64, u32), (u32, u64)>,
    consumers: Table<'a, u32, &'static [u8]>,
    letters: Table<'a, u64, &'static [u8]>,
    letter_payloads: Table<'a, u64, &'static [u8]>,
    ids: Table<'a, (u64, Fingerprint), ()>,
    meta: Table<'a, &'static str, u64>,
    /// The last sequences assigned in this transaction.
    sequence: Option<u64>,
    letter: Option<u64>,
    /// Whether the changes may have been committed before.
    again: bool,
    /// Whether the transaction changed anything.
    pub(super) changed: bool,
}

impl<'a> Tables<'a> {
    /// Opens the tables. `again`: the changes may have been committed by an earlier attempt.
    pub(super) fn open(transaction: &'a WriteTransaction, again: bool) -> Result<Self, Error> {
        Ok(Self {
            heads: transaction.open_table(HEADS)?,
            payloads: transaction.open_table(PAYLOADS)?,
            progress: transaction.open_table(PROGRESS)?,
            consumers: transaction.open_table(CONSUMERS)?,
            letters: transaction.open_table(LETTERS)?,
            letter_payloads: transaction.open_table(LETTER_PAYLOADS)?,
            ids: transaction.open_table(IDS)?,
            meta: transaction.open_table(META)?,
            sequence: None,
            letter: None,
            again,
            changed: false,
        })
    }

    pub(super) fn apply(&mut self, change: &Change) -> Result<(), Error> {
        self.changed = true;
        match change {
            Change::Publish { sequence, timestamp, message } => {
                let (head, payload) = Head::of(message.clone(), *timestamp);
                self.heads.insert(sequence, record::write(&head)?.as_slice())?;
                self.payloads.insert(sequence, payload.as_ref())?;
                self.sequence = Some(*sequence);
            }
            Change::Remove { sequence } => self.remove(*sequence)?,
            Change::Progress { sequence, consumer, progress } => self.progress(*sequence, *consumer, *progress)?,
            Change::Consumer { id, consumer } => {
                self.consumers.insert(id, record::write(consumer)?.as_slice())?;
            }
            Change::RemoveConsumer { id } => {
                self.consumers.remove(id)?;
            }
            Change::DeadLetter(dead_letter) => self.insert_dead_letter(dead_letter)?,
            Change::RemoveDeadLetter { letter } => {
                self.letters.remove(letter)?;
                self.letter_payloads.remove(letter)?;
            }
            Change::Remember { until, id } => {
                self.ids.insert((*until, *id), ())?;
            }
            Change::Forget { until, id } => {
                self.ids.remove((*until, *id))?;
            }
        }
        Ok(())
    }

    fn remove(&mut self, sequence: u64) -> Result<(), Error> {
        self.heads.remove(sequence)?;
        self.payloads.remove(sequence)?;
        let mut consumers = Vec::new();
        for row in self.progress.range((sequence, u32::MIN)..=(sequence, u32::MAX))? {
            consumers.push(row?.0.value().1);
        }
        for consumer in consumers {
            self.progress.remove((sequence, consumer))?;
        }
        Ok(())
    }

    fn progress(&mut self, sequence: u64, consumer: u32, progress: Progress) -> Result<(), Error> {
        let row = match progress {
            Progress::Fresh => {
                self.progress.remove((sequence, consumer))?;
                return Ok(());
            }
            Progress::Delivered { attempts, not_before } => (attempts.min(DONE.saturating_sub(1)), not_before),
            Progress::Done => (DONE, 0),
        };
        self.progress.insert((sequence, consumer), row)?;
        Ok(())
    }

    fn insert_dead_letter(&mut self, dead_letter: &DeadLetterRecord) -> Result<(), Error> {
        let place = dead_letter.letter;
        self.letter = Some(place);
        let head = self.heads.get(dead_letter.sequence)?;
        let payload = self.payloads.get(dead_letter.sequence)?;
        let (Some(head), Some(payload)) = (head, payload) else {
            let missing = Error::Corrupted("a message is not there".into());
            return if self.again { Ok(()) } else { Err(missing) };
        };
        let letter = Letter::of(record::read(head.value())?, dead_letter.clone());
        self.letters.insert(place, record::write(&letter)?.as_slice())?;
        self.letter_payloads.insert(place, payload.value())?;
        Ok(())
    }

    /// Reads the message at `sequence`, if it still exists.
    pub(super) fn read(&self, sequence: u64) -> Result<Option<Stored>, Error> {
        let Some(head) = self.heads.get(sequence)? else { return Ok(None) };
        let Some(payload) = self.payloads.get(sequence)? else { return Ok(None) };
        let head: Head = record::read(head.value())?;
        Ok(Some(head.with(Bytes::copy_from_slice(payload.value()))))
    }

    /// Reads the first `limit` dead letters after the sequence `after`.
    pub(super) fn letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut found = Vec::new();
        for row in self.letters.range::<u64>((start, Bound::Unbounded))?.take(limit) {
            let (place, letter) = row?;
            let place = place.value();
            let letter: Letter = record::read(letter.value())?;
            let payload = self.letter_payloads.get(place)?;
            let payload = payload.map(|payload| Bytes::copy_from_slice(payload.value()));
            found.push(letter.with(place, payload.unwrap_or_default()));
        }
        Ok(found)
    }

    /// Stores the last sequences.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        for (name, last) in [(SEQUENCE, self.sequence), (LETTER, self.letter)] {
            if let Some(last) = last {
                self.meta.insert(name, last)?;
            }
        }
        Ok(())
    }
}
