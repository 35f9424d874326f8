//! `cargo xtask bench dev`: the time from a saved file to the first response of the new component under `tempo dev`.
//!
//! The build copies a component and writes when it begins and ends, so the time that a compiler would take is not counted.

use std::fs;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use clap::ArgMatches;

use super::app::App;
use super::client;
use super::contest::{Guest, Program};
use super::machine::Machine;
use super::prepare;
use super::server::Server;
use super::table::{markdown, median, number};
use crate::workspace::Workspace;

/// What the response of the guest begins with.
const RESPONSE: &[u8] = b"Hello from Tempo";
/// The time between two requests.
const POLL: Duration = Duration::from_millis(1);
/// The timeout of a new component.
const TIMEOUT: Duration = Duration::from_secs(60);
const MANIFEST: &str = "name = \"dev\"\n[component.app]\nsource = \"app.wasm\"\nroute = \"/*\"\n\
     build = { command = \"sh build.sh\", watch = [\"source\"] }\n";
const BUILD: &str = "date +%s%N > began && cp \"$(cat source/version).wasm\" app.wasm && date +%s%N > ended\n";

pub(super) fn command() -> clap::Command {
    super::with_build_options(clap::Command::new("dev"))
        .about("The time from a saved file to the response of the new component, without the time of the build")
        .arg(super::count("saves", "20").help("Saved files"))
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), !arguments.get_flag("no-build"))?;
    let app = App::create(&files, workspace.target.join("bench-dev"))?;
    let hello = fs::read(files.guest(Guest::P3))?;
    for version in ["0", "1"] {
        fs::write(app.directory.join(format!("{version}.wasm")), responding(&hello, version)?)?;
    }
    app.declare(MANIFEST)?;
    fs::write(app.directory.join("build.sh"), BUILD)?;
    fs::create_dir(app.directory.join("source"))?;
    fs::write(app.directory.join("source/version"), "0")?;
    let mut command = app.command("dev");
    command.args(["--addr", "127.0.0.1:0", "--dashboard", "127.0.0.1:0"]);
    let server = Server::start(command)?;
    let (mut builds, mut others) = (Vec::new(), Vec::new());
    for save in 1..=super::number(arguments, "saves") {
        let version = if save % 2 == 0 { "0" } else { "1" };
        let (total, build) = self::save(&app, &server, version).with_context(|| format!("save {save}"))?;
        builds.push(build);
        others.push((total - build).max(0.0));
    }
    println!("{}\n", Machine::read(&files, None).markdown());
    print!("{}", table(&builds, &others));
    Ok(())
}

/// Returns the component with `version` in its response.
fn responding(hello: &[u8], version: &str) -> Result<Vec<u8>> {
    let found = hello.windows(RESPONSE.len()).position(|bytes| bytes == RESPONSE);
    let mut wasm = hello.to_vec();
    let digit = found.and_then(|start| wasm.get_mut(start + RESPONSE.len())).zip(version.bytes().next());
    let (byte, digit) = digit.context("the guest does not contain its response")?;
    *byte = digit;
    Ok(wasm)
}

/// Saves the file with the version. Returns the milliseconds until the first response of it, and those of the build.
fn save(app: &App<'_>, server: &Server, version: &str) -> Result<(f64, f64)> {
    let saved = Instant::now();
    let since = SystemTime::now();
    fs::write(app.directory.join("source/version"), version)?;
    let expected = [RESPONSE, version.as_bytes()].concat();
    loop {
        let (status, body) = client::get(server.addr)?;
        ensure!(status == 200, "a request failed with {status}");
        if body.starts_with(&expected) {
            break;
        }
        ensure!(saved.elapsed() < TIMEOUT, "the new component did not respond");
        thread::sleep(POLL);
    }
    let total = saved.elapsed().as_secs_f64() * 1e3;
    let written = |name: &str| -> Result<f64> {
        let nanoseconds: u64 = fs::read_to_string(app.directory.join(name))?.trim().parse()?;
        let at = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        Ok(at.duration_since(since).context("an earlier build")?.as_secs_f64() * 1e3)
    };
    Ok((total, written("ended")? - written("began")?))
}

fn table(builds: &[f64], others: &[f64]) -> String {
    let row = |title: &str, values: &[f64]| {
        let most = values.iter().copied().reduce(f64::max);
        let least = values.iter().copied().reduce(f64::min);
        let cells = [median(values.iter().copied()), least, most].map(|value| number(value, 1));
        [&[title.to_owned()][..], &cells].concat()
    };
    let rows = [row("the build", builds), row("all else, from the save to the response", others)];
    markdown(&["ms", "median", "least", "most"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_in_the_response() {
        let wasm = responding(b"..Hello from Tempo!\n", "1").unwrap();
        assert_eq!(wasm, b"..Hello from Tempo1\n");
        assert!(responding(b"Hello from Tempo", "1").is_err());
        assert!(responding(b"other", "1").is_err());
    }
}
