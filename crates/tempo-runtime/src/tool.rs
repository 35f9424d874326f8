//! Runs the tools of a runtime as commands.

use std::io::{self, ErrorKind as IoErrorKind, Write};

use crate::registry::{ToolEntry, ToolSettings};
use crate::stdout;
use clap::ArgMatches;

/// Runs `tool` on the calling thread.
///
/// # Errors
///
/// Those of the tool, and of standard output.
pub(crate) fn run(tool: &ToolEntry, matches: &ArgMatches, settings: ToolSettings<'_>) -> anyhow::Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut output = ToolOutput { inner: io::stdout(), failed: None };
    let done = runtime.block_on((tool.run)(matches, settings, &mut output));
    match output.failed {
        Some(kind) => stdout::written(Err(kind.into()))?,
        None => done?,
    }
    Ok(0)
}

/// Standard output that records its failure, to distinguish it from a failure of the tool.
struct ToolOutput<W> {
    inner: W,
    failed: Option<IoErrorKind>,
}

impl<W: Write> Write for ToolOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes).inspect_err(|error| self.failed = permanent(error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush().inspect_err(|error| self.failed = permanent(error))
    }
}

fn permanent(error: &io::Error) -> Option<IoErrorKind> {
    (error.kind() != IoErrorKind::Interrupted).then(|| error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_output_is_recorded() {
        let mut full = ToolOutput { inner: &mut [0_u8; 2][..], failed: None };
        assert!(full.write_all(b"ab").is_ok() && full.failed.is_none());
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(IoErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut closed = ToolOutput { inner: Closed, failed: None };
        assert!(closed.write_all(b"a").is_err());
        assert_eq!(closed.failed, Some(IoErrorKind::BrokenPipe));
    }
}
