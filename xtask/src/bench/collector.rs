//! OTLP collectors for the benchmarks: they discard what they receive.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// The behaviour of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CollectorBehavior {
    /// Responds at once.
    Quick,
    /// Responds after a second.
    Slow,
    /// Accepts connections and never responds.
    Hung,
    /// Does not exist.
    Absent,
}

/// A collector that runs until the process ends.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    received: Arc<AtomicU64>,
}

impl Collector {
    pub(crate) fn start(behavior: CollectorBehavior) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on the loopback address")?;
        let collector = Self { address: listener.local_addr()?, received: Arc::default() };
        if behavior != CollectorBehavior::Absent {
            let received = collector.received.clone();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let received = received.clone();
                    thread::spawn(move || serve(stream, behavior, &received));
                }
            });
        }
        Ok(collector)
    }

    /// Returns the number of received body bytes.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}

/// Reads the requests of a connection until it ends.
fn serve(stream: TcpStream, behavior: CollectorBehavior, received: &AtomicU64) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(length) = head(&mut reader) {
        received.fetch_add(length, Ordering::Relaxed);
        if behavior == CollectorBehavior::Hung {
            thread::park();
        }
        if std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).is_err() {
            return;
        }
        if behavior == CollectorBehavior::Slow {
            thread::sleep(Duration::from_secs(1));
        }
        if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

/// Reads a head and returns the length of the body.
fn head(reader: &mut impl BufRead) -> Option<u64> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            return Some(length);
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
}
