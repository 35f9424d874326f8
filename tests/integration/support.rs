//! Shared test support: starting programs, finding guests, HTTP clients.

pub(crate) mod admin;
#[path = "../shared/browser.rs"]
pub(crate) mod browser;
pub(crate) mod canary;
pub(crate) mod cluster;
pub(crate) mod collector;
pub(crate) mod guest;
pub(crate) mod h2;
pub(crate) mod h2_frames;
pub(crate) mod http;
pub(crate) mod ledger;
pub(crate) mod message_ledger;
pub(crate) mod messaging;
pub(crate) mod nats;
pub(crate) mod process;
#[path = "../shared/promtool.rs"]
pub(crate) mod promtool;
pub(crate) mod proxy;
pub(crate) mod publisher;
pub(crate) mod s3;
pub(crate) mod storage;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod wat;
pub(crate) mod witness;

pub(crate) use guest::{compiled, guest, key};
pub(crate) use http::{Client, Response, get};
pub(crate) use process::{Finished, Process, Run, Server, serve, serve_with};

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The timeout of a test's waits. It measures nothing: it turns a hang into a failure. A slow machine that builds
/// during the tests takes half a minute to compile an interpreter.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Returns true if the long tests run in full: `cargo xtask test --slow`.
pub(crate) fn slow() -> bool {
    std::env::var_os("TEMPO_TEST_SLOW").is_some()
}

/// Polls `ask` until it returns a value, or panics after [`PATIENCE`].
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "this never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns a third-party program: the one that `cargo xtask test` names in `variable`, else the one that `cargo xtask
/// setup` installs, else the machine's.
pub(crate) fn tool(variable: &str, names: &[&str]) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return named.into();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::iter::once(guest::target().join("tools/bin")).chain(std::env::split_paths(&path));
    let mut programs = directories.flat_map(|directory| {
        names.iter().map(move |name| directory.join(name).with_extension(std::env::consts::EXE_EXTENSION))
    });
    programs.find(|program| program.is_file()).unwrap_or_else(|| panic!("no {}: run `cargo xtask setup`", names[0]))
}
