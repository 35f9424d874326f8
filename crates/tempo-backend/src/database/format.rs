//! The format version of a database, which tells a service's databases from those of other programs.

use redb::{Database, Error, ReadableDatabase as _, TableDefinition, TableError, WriteTransaction};

/// Key of the format version.
const FORMAT: &str = "format";
const CURRENT_FORMAT: u64 = 1;

/// Creates the tables of a new database with `create`, and the format version in the table `meta`; checks the format version
/// of an existing database, without writing to it.
///
/// # Errors
///
/// [`Error::Corrupted`] if the database has another format or is that of another program; otherwise those of redb.
pub fn prepare(
    database: &Database,
    meta: TableDefinition<'_, &'static str, u64>,
    create: impl FnOnce(&WriteTransaction) -> Result<(), Error>,
) -> Result<(), Error> {
    let transaction = database.begin_write()?;
    if transaction.list_tables()?.next().is_none() {
        create(&transaction)?;
        transaction.open_table(meta)?.insert(FORMAT, CURRENT_FORMAT)?;
        return Ok(transaction.commit()?);
    }
    transaction.abort()?;
    let format = match database.begin_read()?.open_table(meta) {
        Ok(meta) => meta.get(FORMAT)?.map(|format| format.value()),
        Err(TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    match format {
        Some(CURRENT_FORMAT) => Ok(()),
        Some(other) => Err(Error::Corrupted(format!("format {other} is not known to this version"))),
        None => Err(Error::Corrupted("it is the database of another program".into())),
    }
}
