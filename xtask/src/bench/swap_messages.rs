//! `cargo xtask bench swap --messages N`: whether messages are lost or handled twice while their component is replaced.
//!
//! The guest records each delivery in a store. The messages of each swap have a topic of their own, and are published before it,
//! so that their handling is under way.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;
use serde_json::Value;

use super::app::App;
use super::apps::different;
use super::client;
use super::contest::Program;
use super::machine::Machine;
use super::prepare;
use super::server::Server;
use super::table::{markdown, number};
use crate::build;
use crate::workspace::Workspace;

/// The package of the guest.
const GUEST: &str = "test-messaging";
/// Time limits that a slow machine does not reach: a request publishes the messages of a swap.
const PATIENT: [&str; 4] = ["--request-timeout", "100s", "--cpu-timeout", "60s"];
/// The time between two looks at what is handled.
const POLL: Duration = Duration::from_millis(20);
/// The timeout of the messages of one swap.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The deliveries of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Deliveries {
    /// The messages that were delivered.
    messages: usize,
    /// The deliveries that were not the first of their message.
    repeated: usize,
}

/// Measures with this many messages.
pub(super) fn run(arguments: &ArgMatches, messages: u32) -> Result<()> {
    let workspace = Workspace::load()?;
    let builds = !arguments.get_flag("no-build");
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), builds)?;
    let guest = workspace.guests().find(|package| package.name == GUEST).context("there is no guest")?;
    if builds {
        build::guests(std::iter::once(guest))?;
    }
    let app = App::create(&files, workspace.target.join("bench-swap"))?;
    let wasm = fs::read(workspace.guest_dir().join(&guest.wasm))?;
    let swaps = u32::from(super::number(arguments, "swaps"));
    let each = messages.div_ceil(swaps).max(1);
    let version = |swap: u32| different(&wasm, usize::from(swap % 2 == 1));
    app.replace("app.wasm", &version(0))?;
    let mut command = app.serve();
    command.args(["app.wasm", "--messaging", "memory:", "--keyvalue", "memory:", "--subscribe", "check.>"]);
    command.args(PATIENT);
    let server = Server::start(command)?;
    let begun = Instant::now();
    for swap in 1..=swaps {
        let (status, _) = client::ask(server.addr, "POST", &format!("/publish-many?topic=check.{swap}&count={each}"))?;
        ensure!(status == 200, "publishing failed with {status}");
        app.replace("app.wasm", &version(swap))?;
        server.reload()?;
        server.wait_for("reloaded (SIGHUP): app, in ").with_context(|| format!("swap {swap}"))?;
    }
    let mut all = Deliveries::default();
    for swap in 1..=swaps {
        let handled = handled(&server, swap, each)?;
        all.messages += handled.messages;
        all.repeated += handled.repeated;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{}\n", Machine::read(&files, None).markdown());
    let published = swaps as usize * each as usize;
    let lost = published.saturating_sub(all.messages);
    let counts = [published, swaps as usize, lost, all.repeated].map(|count| number(Some(count as f64), 0));
    let row = [&["messages".to_owned()][..], &counts, &[number(Some(published as f64 / seconds), 0)]].concat();
    print!("{}", markdown(&["", "published", "swaps", "lost", "handled twice", "a second"], &[row]));
    ensure!(lost == 0 && all.repeated == 0, "{lost} messages are lost, {} handled twice", all.repeated);
    Ok(())
}

/// Waits until the messages of a swap are handled, and returns their deliveries.
fn handled(server: &Server, swap: u32, each: u32) -> Result<Deliveries> {
    let begun = Instant::now();
    let text = |path: &str| -> Result<String> {
        let (status, body) = client::ask(server.addr, "GET", &format!("{path}?topic=check.{swap}"))?;
        let text = String::from_utf8(body)?;
        ensure!(status == 200, "{path} failed with {status}: {text}");
        Ok(text)
    };
    // What is lost does not come later.
    while text("/done")?.trim().parse::<u32>()? < each && begun.elapsed() < TIMEOUT {
        thread::sleep(POLL);
    }
    deliveries(&text("/seen")?)
}

/// Counts the deliveries, each of which is a line of JSON.
fn deliveries(lines: &str) -> Result<Deliveries> {
    let mut messages = BTreeSet::new();
    let mut all = 0_usize;
    for line in lines.lines() {
        let delivery: Value = serde_json::from_str(line)?;
        messages.insert(delivery.get("payload").context("a delivery without payload")?.to_string());
        all += 1;
    }
    Ok(Deliveries { messages: messages.len(), repeated: all - messages.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_of_one_message_are_counted() {
        let lines = "{\"payload\":\"0\"}\n{\"payload\":\"1\"}\n{\"payload\":\"0\"}\n";
        assert_eq!(deliveries(lines).unwrap(), Deliveries { messages: 2, repeated: 1 });
        assert_eq!(deliveries("").unwrap(), Deliveries::default());
        assert!(deliveries("no JSON").is_err());
    }
}
