//! The signals that ask the process to stop. A thread of their own waits for them from the first instruction of `main`:
//! process 1 of a container ignores a signal that it has no handler for, and no other thread's work may delay one.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::log_output;

/// How long a command that was asked to stop may take to send its telemetry before the process ends without it.
const COMMAND_GRACE: Duration = Duration::from_secs(3);
/// How long the last lines of the log may take when the process ends at once.
const LAST_LINES: Duration = Duration::from_millis(100);

/// The process loads, connects or uses a tool: the first signal ends it.
const STARTING: u8 = 0;
/// It serves: the first signal drains it, the second ends it.
const SERVING: u8 = 1;
/// It runs a command: the first signal ends it, after what the command must leave in order.
const COMMAND: u8 = 2;

/// What the process was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM.
    Terminate,
    /// SIGINT, or what the user presses for it.
    Interrupt,
    /// SIGHUP: its terminal has gone.
    HangUp,
}

impl Stop {
    /// The exit code that a shell expects of a process ended by the signal: 128 and its number.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::HangUp => 129,
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }

    /// Whether a supervisor asked, which may still send requests for a while: a user at a terminal does not.
    pub fn by_supervisor(self) -> bool {
        self != Self::Interrupt
    }
}

/// Receives the signals that stop the runtime.
pub struct Signals {
    mode: Arc<AtomicU8>,
    first: Receiver<Stop>,
}

impl Signals {
    /// Starts to listen. Until the process serves or runs a command, a signal ends it at once.
    ///
    /// # Errors
    ///
    /// The system refuses a handler or the thread.
    pub fn listen() -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        // The handlers must be there when this returns.
        let listeners = {
            let _entered = runtime.enter();
            Listeners::install()?
        };
        let mode = Arc::new(AtomicU8::new(STARTING));
        let (sender, first) = mpsc::channel(1);
        let shared = mode.clone();
        let thread = std::thread::Builder::new().name("tempo-signals".to_owned());
        thread.spawn(move || wait(&runtime, listeners, &shared, &sender))?;
        Ok(Self { mode, first })
    }

    /// From now on the first signal is given to [`next`](Self::next), and the second ends the process at once.
    pub fn serve(&self) {
        self.mode.store(SERVING, SeqCst);
    }

    /// From now on the first signal is given to [`next`](Self::next), which must end the process soon.
    pub fn run_command(&self) {
        self.mode.store(COMMAND, SeqCst);
    }

    /// Resolves when the process is asked to stop.
    pub async fn next(&mut self) -> Stop {
        match self.first.recv().await {
            Some(stop) => stop,
            // The thread ends the process itself.
            None => pending().await,
        }
    }
}

/// Waits for signals, and ends the process where nothing else does.
fn wait(runtime: &Runtime, mut listeners: Listeners, mode: &AtomicU8, first: &Sender<Stop>) {
    let last = runtime.block_on(async {
        let stop = listeners.next().await;
        let mode = mode.load(SeqCst);
        if mode == STARTING || first.try_send(stop).is_err() {
            return stop;
        }
        if mode == SERVING {
            return listeners.next().await;
        }
        tokio::time::timeout(COMMAND_GRACE, listeners.next()).await.unwrap_or(stop)
    });
    log_output::flush(LAST_LINES);
    std::process::exit(last.exit_code().into());
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

    async fn next(&mut self) -> Stop {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Stop::Terminate,
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = hang_up => Stop::HangUp,
        }
    }
}

/// Whether SIGHUP keeps the action that the process was started with: a handler would undo nohup(1). Only Linux shows
/// which signals are ignored.
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

    async fn next(&mut self) -> Stop {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Stop::Interrupt,
            Err(_) => pending().await,
        }
    }
}
