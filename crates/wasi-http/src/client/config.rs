//! Limits of the client, and the effective timeouts of a request.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime_wasi_http::RequestOptions;

/// Limits of a [`Client`](crate::Client). Every duration is a cap: the options of a request may only shorten it.
///
/// Begin with [`ClientConfig::default`], and set the fields to change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// Resolving the name and connecting, all addresses together; also how long a request waits while `max_requests`
    /// are running, and a connection while `max_connections` are open. Default: 5 s.
    pub connect_timeout: Duration,
    /// The TLS handshake. Default: 5 s.
    pub tls_timeout: Duration,
    /// From the last part of the request that was sent to the head of the response. Default: 30 s.
    pub first_byte_timeout: Duration,
    /// Between two parts of the response's body, while the component waits for one. Default: 5 min.
    pub between_bytes_timeout: Duration,
    /// How long an idle connection is kept. Default: 60 s.
    pub idle_timeout: Duration,
    /// Idle connections kept for each scheme, host and port. Default: 32.
    pub max_idle_per_host: usize,
    /// Requests at once, each until its response was read or dropped. Default: 512.
    pub max_requests: usize,
    /// Open connections, idle ones included. Default: 1024.
    pub max_connections: usize,
    /// Concurrent name lookups. Each takes a thread of the runtime's blocking pool. Default: 64.
    pub max_lookups: usize,
    /// Header fields of a response. Default: 100.
    pub max_response_headers: usize,
    /// Bytes of a response's header section; at least 8192. Default: 32 KiB.
    pub max_response_header_bytes: usize,
    /// PEM files of certificate authorities to trust in addition to Mozilla's. Default: none.
    pub ca_files: Vec<PathBuf>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            tls_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(30),
            between_bytes_timeout: Duration::from_secs(300),
            idle_timeout: Duration::from_secs(60),
            max_idle_per_host: 32,
            max_requests: 512,
            max_connections: 1024,
            max_lookups: 64,
            max_response_headers: 100,
            max_response_header_bytes: 32 * 1024,
            ca_files: Vec::new(),
        }
    }
}

/// The timeouts of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeouts {
    /// Waiting for a permit to run.
    pub(super) permit: Duration,
    /// Establishing a connection, TLS included.
    pub(super) connection: Duration,
    pub(super) first_byte: Duration,
    pub(super) between_bytes: Duration,
}

impl Timeouts {
    pub(super) fn new(config: &ClientConfig, options: Option<RequestOptions>) -> Self {
        let options = options.unwrap_or_default();
        let shorter = |cap: Duration, wanted: Option<Duration>| wanted.map_or(cap, |wanted| wanted.min(cap));
        Self {
            permit: shorter(config.connect_timeout, options.connect_timeout),
            connection: shorter(config.connect_timeout.saturating_add(config.tls_timeout), options.connect_timeout),
            first_byte: shorter(config.first_byte_timeout, options.first_byte_timeout),
            between_bytes: shorter(config.between_bytes_timeout, options.between_bytes_timeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_only_shorten() {
        let config = ClientConfig::default();
        let caps = Timeouts::new(&config, None);
        assert_eq!(caps.first_byte, Duration::from_secs(30));
        assert_eq!(caps.connection, Duration::from_secs(10));
        let all = |wanted| {
            let options = RequestOptions {
                connect_timeout: Some(wanted),
                first_byte_timeout: Some(wanted),
                between_bytes_timeout: Some(wanted),
            };
            Timeouts::new(&config, Some(options))
        };
        assert_eq!(all(Duration::from_secs(600)), caps);
        let short = Duration::from_secs(1);
        assert_eq!(all(short), Timeouts { permit: short, connection: short, first_byte: short, between_bytes: short });
    }
}
