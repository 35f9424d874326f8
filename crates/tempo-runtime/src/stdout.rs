//! Standard output, which a reader such as `head` closes early.

use std::io::{self, ErrorKind as IoErrorKind, Write as _};

use tempo_settings::{Error, ErrorKind};

/// Writes `text` to standard output.
///
/// # Errors
///
/// Those of [`written`].
pub(crate) fn print(text: &str) -> Result<(), Error> {
    let mut output = io::stdout().lock();
    written(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

/// Returns the outcome of writing to standard output. A pipe that its reader has closed is not an error: the reader has what it
/// wants.
///
/// # Errors
///
/// The output cannot be written, for example because a disk is full.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Error> {
    match result.map_err(|error| error.kind()) {
        Ok(()) | Err(IoErrorKind::BrokenPipe) => Ok(()),
        Err(kind) => Err(Error::new(ErrorKind::CannotWrite, format!("cannot write the output: {kind}"))),
    }
}
