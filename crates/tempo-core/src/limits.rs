//! What one component may use, with the flag that changes each limit. Every limit is on by default.

use std::time::Duration;

use tempo_settings::{Delay, Error, Flag, Settings, Size};

/// Declares the struct, its flags and how they are read from one list, so that the three cannot disagree.
macro_rules! limits {
    ($( $(#[$doc:meta])* $field:ident: $type:ty = $read:ident($name:literal, $value:literal, $default:literal, $help:literal); )*) => {
        /// What one component may use. Sizes are in bytes.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Limits {
            $( $(#[$doc])* pub $field: $type, )*
            /// Requests served by one instance, one after the other, before it is replaced; `None` is 128 for WASI 0.3
            /// components and 1 for WASI 0.2 components.
            pub instance_reuse: Option<usize>,
        }

        impl Limits {
            const REUSE: Flag = Flag::new(
                "instance-reuse", "N", "Requests one instance serves in turn [default: 128 for WASI 0.3, 1 for WASI 0.2]",
            );

            /// One flag for each limit.
            pub const FLAGS: &'static [Flag] = &[
                $( Flag::new($name, $value, $help).default($default), )*
                Self::REUSE,
            ];

            /// Reads the limits from `settings`.
            ///
            /// # Errors
            ///
            /// A value cannot be read; the error names it and its place.
            pub fn from_settings(settings: &Settings) -> Result<Self, Error> {
                Ok(Self {
                    $( $field: $read(settings, &Flag::new($name, $value, $help).default($default))?, )*
                    instance_reuse: settings.get::<std::num::NonZeroUsize>(&Self::REUSE)?.map(usize::from),
                })
            }
        }
    };
}

limits! {
    /// Memory of one store: its linear memories and its heap of garbage-collected objects.
    memory: usize = bytes("max-memory", "SIZE", "128MiB", "Memory of one instance: all linear memories and its garbage-collected objects");
    /// Tables in one store.
    tables: usize = count("max-tables", "N", "16", "Tables in one instance");
    /// Elements in one table.
    table_elements: usize = count("max-table-elements", "N", "100000", "Elements in one table");
    /// The WebAssembly stack.
    wasm_stack: usize = bytes("max-wasm-stack", "SIZE", "512KiB", "WebAssembly stack of one call");
    /// Handles in each of a store's resource tables.
    handles: usize = count("max-handles", "N", "4096", "Resource handles one instance holds");
    /// Files, directories and sockets that one store has open, besides the directories that it is granted.
    open_files: usize = count("max-open-files", "N", "256", "Files, directories and sockets one instance has open");
    /// Data that crosses the border in one host call.
    hostcall_bytes: usize = bytes("max-hostcall-bytes", "SIZE", "16MiB", "Data that crosses the border in one host call");
    /// Bytes that the host holds for one store, in all services together.
    host_memory: usize = bytes("max-host-memory", "SIZE", "32MiB", "Bytes the host holds for one instance, all services together");
    /// Bytes a guest may ask of `wasi:random` in one call.
    random_bytes: usize = bytes("max-random-bytes", "SIZE", "64KiB", "Random bytes in one call");
    /// Processor time of one request.
    cpu: Duration = duration("cpu-timeout", "TIME", "1s", "Processor time of one request");
    /// Time from a request's arrival to its response, and the longest pause while the response streams.
    request: Duration = duration("request-timeout", "TIME", "30s", "Time to respond, and the longest pause while a response streams");
    /// Time to make an instance.
    instantiate: Duration = duration("instantiate-timeout", "TIME", "5s", "Time to make an instance");
    /// Time a guest may go on working after its response has been sent.
    after_response: Duration = duration("after-response-timeout", "TIME", "10s", "Time a guest may go on working after its response");
    /// Requests and messages that run at once. A request that waits for a message which the same component handles keeps its
    /// place, and the message needs another.
    requests: usize = count("max-requests", "N", "256", "Requests and messages that run at once; one that waits for another of the same component keeps its place");
    /// Requests that wait for a place.
    queue: usize = number("max-queued-requests", "N", "512", "Requests that wait for a place to run");
    /// How long a request waits for a place before it is refused.
    queue_wait: Duration = duration("queue-timeout", "TIME", "1s", "How long a request waits for a place to run");
    /// How long an instance that could be reused is kept without work.
    idle: Duration = duration("instance-idle-timeout", "TIME", "30s", "How long an idle instance is kept for reuse");
    /// The longest log line, in bytes; what is longer is clipped.
    log_line: usize = bytes("max-log-line", "SIZE", "8KiB", "Longest log line of a guest; longer ones are clipped");
    /// Log lines a second.
    log_rate: usize = count("max-log-rate", "N", "100", "Log lines a second; more are dropped and counted");
    /// Log lines in a burst.
    log_burst: usize = count("max-log-burst", "N", "500", "Log lines in a burst");
    /// How long the process goes on serving after SIGTERM, while it says that it is not ready; may be 0.
    shutdown_delay: Duration = delay("shutdown-delay", "TIME", "0s", "How long clients are still served after SIGTERM, while /readyz says 503 and shared queues are left to others; 5s under Kubernetes");
    /// How long running work is given to finish when the process is asked to stop.
    drain: Duration = duration("drain-timeout", "TIME", "25s", "How long running work may take to finish on SIGTERM, SIGINT or SIGHUP");
}

impl Limits {
    /// How many idle instances all triggers together may keep, besides those that run.
    pub fn idle_instances(&self) -> usize {
        self.requests.min(64)
    }

    /// How many calls one instance serves in turn, given whether its component uses WASI 0.3.
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
    settings.require::<Size>(flag).map(|size| size.0)
}

fn count(settings: &Settings, flag: &Flag) -> Result<usize, Error> {
    settings.require::<std::num::NonZeroUsize>(flag).map(usize::from)
}

fn number(settings: &Settings, flag: &Flag) -> Result<usize, Error> {
    settings.require(flag)
}

fn delay(settings: &Settings, flag: &Flag) -> Result<Duration, Error> {
    settings.require::<Delay>(flag).map(|delay| delay.0)
}

fn duration(settings: &Settings, flag: &Flag) -> Result<Duration, Error> {
    settings.require(flag)
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
    }
}
