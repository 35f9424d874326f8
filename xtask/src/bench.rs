//! `cargo xtask bench`: how fast Tempo serves, beside `wasmtime serve` and a native server on the same machine.
//!
//! Absolute numbers of two machines, or of one machine at two times, say little. So all servers run in one go, in turn,
//! round after round, and the ratios of each round count.

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

mod client;
mod collector;
mod contest;
mod cores;
mod http;
mod load;
mod machine;
mod messaging;
mod nats;
mod prepare;
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
    let only = Arg::new("only").long("only").value_name("NAME,...").value_delimiter(',').help("Only these servers");
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Write JSON instead of a table");
    let profile = Arg::new("profile")
        .long("profile")
        .default_value("dist")
        .value_parser(["release", "dist"])
        .help("How Tempo is built: `dist` is what is handed out, `release` is quicker to build and slower");
    let no_build = Arg::new("no-build")
        .long("no-build")
        .action(ArgAction::SetTrue)
        .help("Measure the programs and guests that are there, as they are");
    let number = |name: &'static str, default: &'static str| {
        Arg::new(name).long(name).default_value(default).value_parser(value_parser!(u16).range(1..))
    };
    Command::new("bench")
        .about("Measures Tempo beside `wasmtime serve` and a native hyper server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            Command::new("http")
                .about("Requests a second, CPU time and system calls a request, latencies")
                .arg(number("rounds", "5").help("Rounds; each measures every server once"))
                .arg(number("seconds", "4").help("Seconds a measurement"))
                .arg(number("connections", "64").help("Connections, each with one request in flight"))
                .arg(only.clone().value_parser(names().collect::<Vec<_>>()))
                .arg(profile.clone())
                .arg(no_build.clone())
                .arg(json.clone()),
        )
        .subcommand(
            Command::new("start")
                .about("From starting the process to the first answer")
                .arg(number("rounds", "20").help("Rounds; each starts every server once"))
                .arg(only.clone().value_parser(start::NAMES.to_vec()))
                .arg(profile.clone())
                .arg(no_build.clone())
                .arg(json),
        )
        .subcommand(
            Command::new("storage")
                .about("Operations on stores from a guest, beside the same in native Rust")
                .arg(number("rounds", "5").help("Rounds; each measures every case once on both sides"))
                .arg(only.value_parser(storage::OPERATIONS.to_vec()).help("Only these operations"))
                .arg(profile.clone())
                .arg(no_build.clone()),
        )
        .subcommand(
            Command::new("messaging")
                .about("Messages that a component handles and sends, beside the same in native Rust")
                .arg(number("rounds", "5").help("Rounds; each measures every case once on both sides"))
                .arg(profile.clone())
                .arg(no_build.clone()),
        )
        .subcommand(
            Command::new("telemetry")
                .about("What it costs to tell a collector of requests, and what a bad collector costs")
                .arg(number("rounds", "5").help("Rounds; each measures every case once"))
                .arg(number("seconds", "4").help("Seconds a measurement"))
                .arg(number("connections", "64").help("Connections, each with one request in flight"))
                .arg(profile)
                .arg(no_build),
        )
}

/// Runs the benchmark that was asked for.
pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmarks read /proc: they need Linux");
    match arguments.subcommand() {
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
