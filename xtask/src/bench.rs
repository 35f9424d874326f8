//! `cargo xtask bench`: how fast Tempo serves, beside `wasmtime serve` and a native server on the same machine.
//!
//! Absolute numbers of two machines, or of one machine at two times, say little. So all servers run in one go, in turn,
//! round after round, and the ratios of each round count.

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

mod callgrind;
mod client;
mod collector;
mod contest;
mod cores;
mod count;
mod http;
mod load;
mod machine;
mod messaging;
mod nats;
mod prepare;
mod profile;
mod record;
mod server;
mod start;
mod storage;
mod syscalls;
mod table;
mod telemetry;

/// How the command is spelled.
pub(crate) fn command() -> Command {
    let names = || contest::CONTESTANTS.iter().map(|contestant| contestant.name);
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Write JSON instead of a table");
    Command::new("bench")
        .about("Measures Tempo beside `wasmtime serve` and a native hyper server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            built(Command::new("http"))
                .about("Requests a second, CPU time and system calls a request, latencies")
                .arg(count("rounds", "5").help("Rounds; each measures every server once"))
                .arg(count("seconds", "4").help("Seconds a measurement"))
                .arg(count("connections", "64").help("Connections, each with one request in flight"))
                .arg(chosen().value_parser(names().collect::<Vec<_>>()))
                .arg(json.clone()),
        )
        .subcommand(count::command())
        .subcommand(
            built(Command::new("start"))
                .about("From starting the process to the first answer")
                .arg(count("rounds", "20").help("Rounds; each starts every server once"))
                .arg(chosen().value_parser(start::NAMES.to_vec()))
                .arg(json),
        )
        .subcommand(
            built(Command::new("storage"))
                .about("Operations on stores from a guest, beside the same in native Rust")
                .arg(count("rounds", "5").help("Rounds; each measures every case once on both sides"))
                .arg(chosen().value_parser(storage::OPERATIONS.to_vec()).help("Only these operations")),
        )
        .subcommand(
            built(Command::new("messaging"))
                .about("Messages that a component handles and sends, beside the same in native Rust")
                .arg(count("rounds", "5").help("Rounds; each measures every case once on both sides")),
        )
        .subcommand(
            built(Command::new("telemetry"))
                .about("What it costs to tell a collector of requests, and what a bad collector costs")
                .arg(count("rounds", "5").help("Rounds; each measures every case once"))
                .arg(count("seconds", "4").help("Seconds a measurement"))
                .arg(count("connections", "64").help("Connections, each with one request in flight")),
        )
}

/// A command that builds what it measures.
fn built(command: Command) -> Command {
    let profile = Arg::new("profile")
        .long("profile")
        .default_value("dist")
        .value_parser(["release", "dist"])
        .help("How Tempo is built: `dist` is what is handed out, `release` is quicker to build and slower");
    let no_build = Arg::new("no-build")
        .long("no-build")
        .action(ArgAction::SetTrue)
        .help("Measure the programs and guests that are there, as they are");
    command.arg(profile).arg(no_build)
}

fn count(name: &'static str, default: &'static str) -> Arg {
    Arg::new(name).long(name).default_value(default).value_parser(value_parser!(u16).range(1..))
}

fn chosen() -> Arg {
    Arg::new("only").long("only").value_name("NAME,...").value_delimiter(',').help("Only these servers")
}

/// Runs the benchmark that was asked for.
pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmarks read /proc: they need Linux");
    match arguments.subcommand() {
        Some(("count", arguments)) => count::run(arguments),
        Some(("start", arguments)) => start::run(arguments),
        Some(("storage", arguments)) => storage::run(arguments),
        Some(("messaging", arguments)) => messaging::run(arguments),
        Some(("telemetry", arguments)) => telemetry::run(arguments),
        Some((_, arguments)) => http::run(arguments),
        None => Ok(()),
    }
}

/// The servers named by `--only`; `None` for all.
fn only(arguments: &ArgMatches) -> Option<Vec<String>> {
    arguments.get_many::<String>("only").map(|names| names.cloned().collect())
}

/// A number with a default.
fn number(arguments: &ArgMatches, name: &str) -> u16 {
    arguments.get_one(name).copied().unwrap_or(1)
}

/// The profile that Tempo is built in.
fn profile(arguments: &ArgMatches) -> &str {
    arguments.get_one::<String>("profile").map_or("release", String::as_str)
}
