//! A collector that takes what it is sent, or does not: what it does with it is not measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// How a collector treats those who send to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It answers.
    Quick,
    /// It answers after a second.
    Slow,
    /// It accepts, and says nothing.
    Hung,
    /// There is none.
    Absent,
}

/// One that runs for the life of this process.
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    taken: Arc<AtomicU64>,
}

impl Collector {
    pub(crate) fn start(manner: Manner) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on the loopback address")?;
        let collector = Self { address: listener.local_addr()?, taken: Arc::default() };
        if manner != Manner::Absent {
            let taken = collector.taken.clone();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let taken = taken.clone();
                    thread::spawn(move || serve(stream, manner, &taken));
                }
            });
        }
        Ok(collector)
    }

    /// The bytes of the requests that came.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Takes requests off a connection until it ends.
fn serve(stream: TcpStream, manner: Manner, taken: &AtomicU64) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    while let Some(length) = head(&mut reader) {
        taken.fetch_add(length, Ordering::Relaxed);
        if manner == Manner::Hung {
            thread::park();
        }
        if std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).is_err() {
            return;
        }
        if manner == Manner::Slow {
            thread::sleep(Duration::from_secs(1));
        }
        if writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

/// How long the body of the next request is.
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
