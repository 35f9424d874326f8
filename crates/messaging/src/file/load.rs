//! Loads the state of an engine from a database file.

use redb::{Database, Error, ReadableDatabase as _, ReadableTable as _};

use super::record::{self, Head, Letter};
use super::tables::{CONSUMERS, HEADS, IDS, LETTER, LETTERS, META, PROGRESS, SEQUENCE, progress};
use crate::engine::{ConsumerRecord, State};

/// Fills `state` from the database.
pub(super) fn load(database: &Database, state: &mut State) -> Result<(), Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let last = |name| meta.get(name).map(|found| found.map_or(0, |last| last.value()));
    state.advance(last(SEQUENCE)?, last(LETTER)?);
    for row in transaction.open_table(CONSUMERS)?.iter()? {
        let (id, consumer) = row?;
        let record: ConsumerRecord = record::read(consumer.value())?;
        state.insert_consumer(id.value(), record);
    }
    let rows = transaction.open_table(PROGRESS)?;
    for row in transaction.open_table(HEADS)?.iter()? {
        let (sequence, head) = row?;
        let sequence = sequence.value();
        let head: Head = record::read(head.value())?;
        let mut far = Vec::new();
        for row in rows.range((sequence, u32::MIN)..=(sequence, u32::MAX))? {
            let (place, row) = row?;
            far.push((place.value().1, progress(row.value())));
        }
        state.insert(sequence, &head.topic, head.key.as_deref(), head.size, &far);
    }
    for row in transaction.open_table(LETTERS)?.iter()? {
        let (place, letter) = row?;
        let letter: Letter = record::read(letter.value())?;
        state.insert_letter(place.value(), letter.head.size);
    }
    for row in transaction.open_table(IDS)?.iter()? {
        let (until, id) = row?.0.value();
        state.insert_id(until, id);
    }
    Ok(())
}
