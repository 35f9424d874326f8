//! Writes standard error from a separate thread: if it is not read, neither requests nor the exit of the process block. Lines
//! that do not fit into the queue are dropped, and their count is logged when lines can be written again.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Maximum size of the queue, in bytes, without the lines that are being written: more than a burst of the longest lines.
const MAX_QUEUED_BYTES: usize = 8 << 20;

static STANDARD_ERROR: LazyLock<LogOutput> = LazyLock::new(|| LogOutput::to(standard_error()));

/// Returns the output to standard error.
pub(crate) fn standard() -> LogOutput {
    STANDARD_ERROR.clone()
}

/// Writes `line` to standard error, in order with the lines of the log.
pub(crate) fn write_line(line: &str) {
    STANDARD_ERROR.push(format!("{line}\n").as_bytes());
}

/// Waits until all lines are written, at most for `timeout`.
pub(crate) fn flush(timeout: Duration) {
    STANDARD_ERROR.flush(timeout);
}

/// Returns a duplicate of the file descriptor: while the thread writes, it must not hold the lock that `eprintln!` takes.
fn standard_error() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(descriptor));
    }
    Box::new(io::stderr())
}

/// A queue of lines with a thread that writes them. Cheap to clone; clones share the queue.
#[derive(Clone)]
pub(crate) struct LogOutput(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    writer: OnceLock<ThreadId>,
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    dropped: u64,
    /// Whether the thread is writing lines that it has taken from the queue.
    writing: bool,
}

impl LogOutput {
    fn to(output: Box<dyn Write + Send>) -> Self {
        let shared =
            Self(Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new(), writer: OnceLock::new() }));
        let writer = shared.clone();
        // If the thread cannot be created, the log is lost but the process runs.
        let _ = std::thread::Builder::new().name("tempo-log".to_owned()).spawn(move || writer.run(output));
        shared
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.queue();
        let fits = queue.bytes.saturating_add(line.len()) <= MAX_QUEUED_BYTES;
        // The thread itself logs the count of dropped lines; that line must not be dropped.
        if !fits && self.0.writer.get() != Some(&std::thread::current().id()) {
            queue.dropped = queue.dropped.saturating_add(1);
            return;
        }
        queue.bytes = queue.bytes.saturating_add(line.len());
        queue.lines.push_back(line.into());
        drop(queue);
        self.0.changed.notify_all();
    }

    fn flush(&self, timeout: Duration) {
        let busy = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        drop(self.0.changed.wait_timeout_while(self.queue(), timeout, busy));
    }

    /// The writer thread.
    fn run(&self, mut output: Box<dyn Write + Send>) {
        let _ = self.0.writer.set(std::thread::current().id());
        loop {
            let empty = |queue: &mut Queue| queue.lines.is_empty();
            let waited = self.0.changed.wait_while(self.queue(), empty);
            let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
            let lines = std::mem::take(&mut queue.lines);
            queue.bytes = 0;
            queue.writing = true;
            drop(queue);
            for line in lines {
                // An error means that standard error is closed; there is nowhere to report it.
                let _ = output.write_all(&line);
            }
            let dropped = std::mem::take(&mut self.queue().dropped);
            if dropped > 0 {
                tracing::warn!(dropped, "log lines were dropped: standard error was not read");
            }
            self.queue().writing = false;
            self.0.changed.notify_all();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MakeWriter<'_> for LogOutput {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Each call is one line: `tracing-subscriber` writes an event as a whole.
impl Write for LogOutput {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// An output that blocks until `open` is closed.
    struct BlockedOutput {
        open: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for BlockedOutput {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.open.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_is_not_read_does_not_block() {
        let ((open, opened), (written, lines)) = (channel(), channel());
        let output = LogOutput::to(Box::new(BlockedOutput { open: opened, written }));
        output.push(b"first\n");
        while !output.queue().writing {
            std::thread::yield_now();
        }
        let line = vec![b'x'; MAX_QUEUED_BYTES / 4];
        for _ in 0..6 {
            output.push(&line);
        }
        let (kept, dropped) = {
            let queue = output.queue();
            (queue.lines.len(), queue.dropped)
        };
        assert_eq!((kept, dropped), (4, 2));
        output.flush(Duration::ZERO);
        // Once the output is read again, the queued lines are written in order.
        drop(open);
        output.flush(Duration::MAX);
        let lines: Vec<_> = lines.try_iter().collect();
        assert_eq!(lines.first().unwrap(), b"first\n");
        assert_eq!(lines.len(), 5);
        assert_eq!(output.queue().dropped, 0);
    }
}
