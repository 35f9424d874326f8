//! Standard error, written by a thread of its own: one that is not read stops neither requests nor the end of the process.
//! What does not fit into the queue is dropped, and its count is logged when lines can be written again.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// What waits to be written, in bytes. The lines that are being written come on top of it.
const ROOM: usize = 1 << 20;

static STANDARD_ERROR: LazyLock<LogOutput> = LazyLock::new(|| LogOutput::to(standard_error()));

/// The output to standard error.
pub fn standard() -> LogOutput {
    STANDARD_ERROR.clone()
}

/// Writes `line` to standard error, in its place among the lines of the log.
pub fn say(line: &str) {
    STANDARD_ERROR.push(format!("{line}\n").as_bytes());
}

/// Waits until all lines are written, for `patience` at most.
pub fn flush(patience: Duration) {
    STANDARD_ERROR.flush(patience);
}

/// A handle of its own: while the thread writes, it must not hold the lock that `eprintln!` takes.
fn standard_error() -> Box<dyn Write + Send> {
    #[cfg(unix)]
    if let Ok(descriptor) = std::os::fd::AsFd::as_fd(&io::stderr()).try_clone_to_owned() {
        return Box::new(std::fs::File::from(descriptor));
    }
    Box::new(io::stderr())
}

/// A queue of lines with a thread that writes them. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct LogOutput(Arc<Shared>);

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
    /// Whether lines that have left the queue are still being written.
    writing: bool,
}

impl LogOutput {
    fn to(output: Box<dyn Write + Send>) -> Self {
        let shared =
            Self(Arc::new(Shared { queue: Mutex::default(), changed: Condvar::new(), writer: OnceLock::new() }));
        let writer = shared.clone();
        // Without the thread the log is lost, and everything else goes on.
        let _ = std::thread::Builder::new().name("tempo-log".to_owned()).spawn(move || writer.write(output));
        shared
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.queue();
        let fits = queue.bytes.saturating_add(line.len()) <= ROOM;
        // The thread's own line says what was dropped: it must not be dropped itself.
        if !fits && self.0.writer.get() != Some(&std::thread::current().id()) {
            queue.dropped = queue.dropped.saturating_add(1);
            return;
        }
        queue.bytes = queue.bytes.saturating_add(line.len());
        queue.lines.push_back(line.into());
        drop(queue);
        self.0.changed.notify_all();
    }

    fn flush(&self, patience: Duration) {
        let busy = |queue: &mut Queue| queue.writing || !queue.lines.is_empty();
        drop(self.0.changed.wait_timeout_while(self.queue(), patience, busy));
    }

    fn write(&self, mut output: Box<dyn Write + Send>) {
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
                // Where nothing reads any more there is nothing to say it to.
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

    /// A reader that takes nothing until it is asked to.
    struct Pipe {
        open: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Pipe {
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
    fn an_output_that_is_not_read_holds_nothing_up() {
        let ((open, opened), (written, lines)) = (channel(), channel());
        let output = LogOutput::to(Box::new(Pipe { open: opened, written }));
        output.push(b"first\n");
        while !output.queue().writing {
            std::thread::yield_now();
        }
        let line = vec![b'x'; ROOM / 4];
        for _ in 0..6 {
            output.push(&line);
        }
        let (kept, dropped) = {
            let queue = output.queue();
            (queue.lines.len(), queue.dropped)
        };
        assert_eq!((kept, dropped), (4, 2));
        output.flush(Duration::ZERO);
        // What reads again gets what was kept, in its order.
        drop(open);
        output.flush(Duration::MAX);
        let lines: Vec<_> = lines.try_iter().collect();
        assert_eq!(lines.first().unwrap(), b"first\n");
        assert_eq!(lines.len(), 5);
        assert_eq!(output.queue().dropped, 0);
    }
}
