//! Handles SIGTERM, SIGINT and SIGHUP on a dedicated thread, from the start of `main`: process 1 of a container ignores
//! signals without a handler, and no other thread may delay one.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::{dev, log_output};

/// Maximum time between a signal and the exit of a command, which exports its telemetry meanwhile.
const COMMAND_GRACE: Duration = Duration::from_secs(3);
/// Maximum time to write the last lines of the log when the process ends at once.
const LOG_FLUSH_TIMEOUT: Duration = Duration::from_millis(100);

/// Maximum number of signals that wait to be handled.
const QUEUE: usize = 4;

/// Mode while the process starts or runs a tool: the first signal ends it.
const STARTING: u8 = 0;
/// Mode while the process serves: the first signal drains it, the second ends it. SIGHUP reloads.
const SERVING: u8 = 1;
/// Mode while the process runs a command: the first signal ends it within [`COMMAND_GRACE`].
const COMMAND: u8 = 2;

/// A signal that stops the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopSignal {
    /// SIGTERM.
    Terminate,
    /// SIGINT, or Ctrl-C.
    Interrupt,
    /// SIGHUP when the terminal was closed, or sent to a command.
    HangUp,
}

impl StopSignal {
    /// Returns the exit code of a process ended by the signal, by the convention of shells: 128 plus its number.
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// Returns whether a supervisor, rather than a user at a terminal, sent the signal. Clients may then still send requests
    /// for a while.
    pub(crate) fn by_supervisor(self) -> bool {
        self != Self::Interrupt
    }
}

/// A signal that a process handles while it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Stops the process.
    Stop(StopSignal),
    /// SIGHUP from a program: reads the settings and the components again.
    Reload,
}

/// Receives the signals of the process.
pub(crate) struct Signals {
    mode: Arc<AtomicU8>,
    received: Receiver<Signal>,
}

impl Signals {
    /// Installs the handlers and starts the thread. Until [`serve`](Self::serve) or [`run_command`](Self::run_command), a
    /// signal ends the process at once.
    ///
    /// # Errors
    ///
    /// The system refuses a handler or the thread.
    pub(crate) fn listen() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // The handlers must be installed when this returns.
        let listeners = {
            let _entered = runtime.enter();
            Listeners::install()?
        };
        let mode = Arc::new(AtomicU8::new(STARTING));
        let (sender, received) = mpsc::channel(QUEUE);
        let shared = mode.clone();
        let thread = std::thread::Builder::new().name("tempo-signals".to_owned());
        thread.spawn(move || wait(&runtime, listeners, &shared, &sender))?;
        Ok(Self { mode, received })
    }

    /// From now on, [`next`](Self::next) returns the first signal that stops the process, and those that reload. The second that
    /// stops it ends it at once.
    pub(crate) fn serve(&self) {
        self.mode.store(SERVING, SeqCst);
    }

    /// From now on, [`next`](Self::next) returns the first signal, and the process ends within [`COMMAND_GRACE`].
    pub(crate) fn run_command(&self) {
        self.mode.store(COMMAND, SeqCst);
    }

    /// From now on, a signal ends the process at once, as before [`serve`](Self::serve).
    pub(crate) fn start_again(&self) {
        self.mode.store(STARTING, SeqCst);
    }

    /// From now on, any signal ends the process at once.
    pub(crate) fn close(&mut self) {
        self.received.close();
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        match self.received.recv().await {
            Some(signal) => signal,
            // The thread ends the process.
            None => pending().await,
        }
    }
}

/// The signal thread: forwards the first signal in the modes that handle it, and ends the process otherwise.
fn wait(runtime: &Runtime, mut listeners: Listeners, mode: &AtomicU8, signals: &Sender<Signal>) {
    let terminal = ControllingTerminal::find();
    let last = runtime.block_on(async {
        let signal = loop {
            let signal = listeners.next().await;
            if mode.load(SeqCst) != SERVING || signal != StopSignal::HangUp || terminal.has_hung_up() {
                break signal;
            }
            // If the queue is full, a reload is due anyway.
            let _ = signals.try_send(Signal::Reload);
        };
        dev::end_builds();
        let mode = mode.load(SeqCst);
        if mode == STARTING {
            return signal;
        }
        tokio::select! {
            sent = signals.send(Signal::Stop(signal)) => if sent.is_err() { return signal },
            second = listeners.next_stop(mode) => return second,
        }
        if mode == SERVING {
            return listeners.next_stop(mode).await;
        }
        tokio::time::timeout(COMMAND_GRACE, listeners.next()).await.unwrap_or(signal)
    });
    log_output::flush(LOG_FLUSH_TIMEOUT);
    std::process::exit(last.exit_code().into());
}

impl Listeners {
    /// Waits for a signal that ends a process in `mode` at once. While a server drains, SIGHUP is none: service managers send it
    /// after SIGTERM.
    async fn next_stop(&mut self, mode: u8) -> StopSignal {
        loop {
            let signal = self.next().await;
            if mode != SERVING || signal != StopSignal::HangUp {
                return signal;
            }
        }
    }
}

/// The controlling terminal of the process, whose end is a SIGHUP too.
struct ControllingTerminal {
    existed: bool,
}

impl ControllingTerminal {
    fn find() -> Self {
        Self { existed: Self::exists() }
    }

    fn exists() -> bool {
        cfg!(unix) && std::fs::File::open("/dev/tty").is_ok()
    }

    /// Returns whether the terminal was closed.
    fn has_hung_up(&self) -> bool {
        self.existed && !Self::exists()
    }
}

#[cfg(unix)]
struct Listeners {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Listeners {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let hang_up = if leaves_hang_up() { None } else { Some(signal(SignalKind::hangup())?) };
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hang_up })
    }

    async fn next(&mut self) -> StopSignal {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => StopSignal::Terminate,
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = hang_up => StopSignal::HangUp,
        }
    }
}

/// Returns whether SIGHUP keeps its inherited action: a handler would undo nohup(1). Only Linux reports ignored signals.
#[cfg(unix)]
fn leaves_hang_up() -> bool {
    const SIGHUP_BIT: u64 = 1;
    if !cfg!(target_os = "linux") {
        return true;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGHUP_BIT != 0)
}

#[cfg(not(unix))]
struct Listeners;

#[cfg(not(unix))]
impl Listeners {
    fn install() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> StopSignal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => StopSignal::Interrupt,
            Err(_) => pending().await,
        }
    }
}
