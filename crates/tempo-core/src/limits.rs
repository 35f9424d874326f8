//! The resource limits of one component and their flags. Every limit is on by default.

use std::num::NonZeroUsize;
use std::time::Duration;

use tempo_settings::{Delay, Error, Flag, Settings, Size};

/// The type that the text of a limit is parsed as, by the function that reads it.
macro_rules! form {
    (bytes) => {
        Size
    };
    (count) => {
        NonZeroUsize
    };
    (number) => {
        usize
    };
    (delay) => {
        Delay
    };
    (duration) => {
        Duration
    };
}

/// Declares the struct, its flags and the parsing of each from one list, so that the three cannot differ.
macro_rules! limits {
    ($( $(#[$doc:meta])* $field:ident: $type:ty = $read:ident($name:literal, $value:literal, $default:literal, $help:literal) $($scope:ident)?; )*) => {
        /// The resource limits of one component. Sizes are in bytes.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Limits {
            $( $(#[$doc])* pub $field: $type, )*
            /// Requests served by one instance, one after the other, before it is replaced; `None` is 128 for WASI 0.3
            /// components and 1 for WASI 0.2 components.
            pub instance_reuse: Option<usize>,
            /// Responses that stream at once, besides the `requests` that run; `None` is half of `requests`.
            pub max_streams: Option<usize>,
        }

        impl Limits {
            const REUSE: Flag = Flag::new(
                "instance-reuse", "N", "Requests one instance serves in turn [default: 128 for WASI 0.3, 1 for WASI 0.2]",
            ).of::<NonZeroUsize>();

            const STREAMS: Flag = Flag::new(
                "max-streams", "N", "Responses that stream at once, besides --max-requests [default: half of --max-requests]",
            ).of::<NonZeroUsize>();

            /// One flag for each limit.
            pub const FLAGS: &'static [Flag] = &[
                $( Flag::new($name, $value, $help).default($default).of::<form!($read)>()$(.$scope())?, )*
                Self::REUSE,
                Self::STREAMS,
            ];

            /// Reads the limits from `settings`.
            ///
            /// # Errors
            ///
            /// A value cannot be parsed; the error names its flag and source.
            pub fn from_settings(settings: &Settings) -> Result<Self, Error> {
                Ok(Self {
                    $( $field: $read(settings, &Flag::new($name, $value, $help).default($default))?, )*
                    instance_reuse: settings.get::<NonZeroUsize>(&Self::REUSE)?.map(usize::from),
                    max_streams: settings.get::<NonZeroUsize>(&Self::STREAMS)?.map(usize::from),
                })
            }
        }
    };
}

limits! {
    /// Memory of one store: its linear memories and its GC heap.
    memory: usize = bytes("max-memory", "SIZE", "128MiB", "Memory of one instance: all linear memories and its garbage-collected objects");
    /// Tables in one store.
    tables: usize = count("max-tables", "N", "16", "Tables in one instance");
    /// Elements in one table.
    table_elements: usize = count("max-table-elements", "N", "100000", "Elements in one table");
    /// The WebAssembly stack.
    wasm_stack: usize = bytes("max-wasm-stack", "SIZE", "512KiB", "WebAssembly stack of one call");
    /// Handles in each of a store's resource tables.
    handles: usize = count("max-handles", "N", "4096", "Resource handles one instance holds");
    /// Open files, directories and sockets of one store, besides its preopened directories.
    open_files: usize = count("max-open-files", "N", "256", "Files, directories and sockets one instance has open");
    /// Data that one host call lifts from the guest or lowers into it.
    hostcall_bytes: usize = bytes("max-hostcall-bytes", "SIZE", "16MiB", "Data that one host call passes between guest and host");
    /// Bytes that the host holds for one store, in all services together.
    host_memory: usize = bytes("max-host-memory", "SIZE", "32MiB", "Bytes the host holds for one instance, all services together");
    /// Bytes that one call of `wasi:random` may return.
    random_bytes: usize = bytes("max-random-bytes", "SIZE", "64KiB", "Random bytes in one call");
    /// Processor time of one request. While its response streams, the used part shrinks by a tenth of the time that passes.
    cpu: Duration = duration("cpu-timeout", "TIME", "1s", "Processor time of one request; while its response streams, a tenth of the time that passes is added, up to this much");
    /// Time from a request's arrival to its response.
    request: Duration = duration("request-timeout", "TIME", "30s", "Time to respond");
    /// The longest pause of a guest while its response streams.
    stream_idle: Duration = duration("stream-idle-timeout", "TIME", "5m", "Longest pause of a guest while its response streams");
    /// Time to create an instance.
    instantiate: Duration = duration("instantiate-timeout", "TIME", "5s", "Time to create an instance");
    /// Time a guest may keep running after its response has been sent.
    after_response: Duration = duration("after-response-timeout", "TIME", "10s", "Time a guest may keep running after its response");
    /// Requests and messages that run at once. A request that waits for a message of the same component holds its permit,
    /// and the message needs another.
    requests: usize = count("max-requests", "N", "256", "Requests and messages that run at once; one that waits for another of the same component counts as running");
    /// Those of an app's `requests` that no other component takes.
    reserved: usize = number("reserved-requests", "N", "0", "Those of the --max-requests of an app that only this component takes");
    /// Requests that wait for admission.
    queue: usize = number("max-queued-requests", "N", "512", "Requests that wait to run");
    /// Time a request waits for admission before it is rejected.
    queue_wait: Duration = duration("queue-timeout", "TIME", "1s", "Time a request waits to run before it is rejected");
    /// Time an idle instance is kept for reuse.
    idle: Duration = duration("instance-idle-timeout", "TIME", "30s", "Time an idle instance is kept for reuse");
    /// The longest log line, in bytes; longer lines are clipped.
    log_line: usize = bytes("max-log-line", "SIZE", "8KiB", "Longest log line of a guest; longer ones are clipped");
    /// Log lines a second.
    log_rate: usize = count("max-log-rate", "N", "100", "Log lines a second; more are dropped and counted");
    /// Log lines in a burst.
    log_burst: usize = count("max-log-burst", "N", "500", "Log lines in a burst");
    /// Time between SIGTERM and draining: the process still serves but reports that it is not ready. May be 0.
    shutdown_delay: Duration = delay("shutdown-delay", "TIME", "0s", "Time clients are still served after SIGTERM, while /readyz returns 503 and shared queues are left to other programs; 5s under Kubernetes") of_process;
    /// Time that running work has to finish after a stop signal.
    drain: Duration = duration("drain-timeout", "TIME", "25s", "Time running work has to finish on SIGTERM or SIGINT, and after its component was replaced") of_process;
}

impl Limits {
    /// Returns the maximum number of idle instances of all triggers together.
    pub fn idle_instances(&self) -> usize {
        self.requests.min(64)
    }

    /// Returns the number of responses that may stream at once.
    pub fn streams(&self) -> usize {
        self.max_streams.unwrap_or(self.requests / 2).max(1)
    }

    /// Returns the maximum number of calls at once: those that run and those whose response streams.
    pub fn calls(&self) -> usize {
        self.requests.saturating_add(self.streams())
    }

    /// Returns the number of calls that one instance serves in turn. `concurrent`: the component uses WASI 0.3.
    pub fn reuse(&self, concurrent: bool) -> usize {
        self.instance_reuse.unwrap_or(if concurrent { 128 } else { 1 })
    }
}

impl Default for Limits {
    fn default() -> Self {
        match Self::from_settings(&Settings::default()) {
            Ok(limits) => limits,
            Err(error) => unreachable!("a default limit does not parse: {error}"),
        }
    }
}

fn bytes(settings: &Settings, flag: &Flag) -> Result<usize, Error> {
    settings.require::<form!(bytes)>(flag).map(|size| size.0)
}

fn count(settings: &Settings, flag: &Flag) -> Result<usize, Error> {
    settings.require::<form!(count)>(flag).map(usize::from)
}

fn number(settings: &Settings, flag: &Flag) -> Result<usize, Error> {
    settings.require::<form!(number)>(flag)
}

fn delay(settings: &Settings, flag: &Flag) -> Result<Duration, Error> {
    settings.require::<form!(delay)>(flag).map(|delay| delay.0)
}

fn duration(settings: &Settings, flag: &Flag) -> Result<Duration, Error> {
    settings.require::<form!(duration)>(flag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_parses() {
        let limits = Limits::default();
        assert_eq!(limits.memory, 128 << 20);
        assert_eq!(limits.cpu, Duration::from_secs(1));
        assert_eq!((limits.reuse(true), limits.reuse(false)), (128, 1));
        assert_eq!((limits.requests, limits.streams(), limits.calls()), (256, 128, 384));
    }
}
