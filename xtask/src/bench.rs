//! `cargo xtask bench`: compares Tempo with `wasmtime serve` and a native server on the same machine.
//!
//! Absolute numbers of two machines, or of one machine at two times, are not comparable. So all servers run in one
//! process, in turn, round after round, and the results are the ratios of each round.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

mod app;
mod apps;
mod callgrind;
mod cases;
mod client;
mod collector;
mod contest;
mod cores;
mod cost;
mod count;
mod dev;
mod http;
mod links;
mod load;
mod machine;
mod messaging;
mod nats;
mod neighbour;
mod prepare;
mod profile;
mod readme;
mod record;
mod scale;
mod server;
mod start;
mod storage;
mod swap;
mod swap_messages;
mod syscalls;
mod table;
mod telemetry;
mod train;

pub(crate) use self::train::train;

/// Declares the command.
pub(crate) fn command() -> Command {
    let names = || contest::CONTESTANTS.iter().map(|contestant| contestant.name);
    let json = Arg::new("json").long("json").action(ArgAction::SetTrue).help("Write JSON instead of a table");
    Command::new("bench")
        .about("Compares Tempo with `wasmtime serve` and a native hyper server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(
            with_build_options(Command::new("http"))
                .about("Requests per second, CPU time and system calls per request, latencies")
                .arg(count("rounds", "5").help("Rounds; each measures every server once"))
                .arg(count("seconds", "4").help("Seconds a measurement"))
                .arg(count("connections", "64").help("Connections, each with one request in flight"))
                .arg(chosen().value_parser(names().collect::<Vec<_>>()))
                .arg(
                    Arg::new("beside")
                        .long("beside")
                        .value_name("FILE")
                        .value_parser(value_parser!(PathBuf))
                        .help("Measure this tempo too, such as a profile-guided one"),
                )
                .arg(json.clone()),
        )
        .subcommand(count::command())
        .subcommand(links::command())
        .subcommand(neighbour::command())
        .subcommand(apps::command())
        .subcommand(scale::command())
        .subcommand(swap::command())
        .subcommand(dev::command())
        .subcommand(readme::command())
        .subcommand(
            with_build_options(Command::new("start"))
                .about("The time from starting the process to the first response")
                .arg(count("rounds", "20").help("Rounds; each starts every server once"))
                .arg(chosen().value_parser(start::NAMES.to_vec()))
                .arg(json),
        )
        .subcommand(
            with_build_options(Command::new("storage"))
                .about("Store operations from a guest, compared with native Rust")
                .arg(count("rounds", "5").help("Rounds; each measures every case once on both sides"))
                .arg(chosen().value_parser(storage::OPERATIONS.to_vec()).help("Only these operations")),
        )
        .subcommand(
            with_build_options(Command::new("messaging"))
                .about("Handling and sending messages in a component, compared with native Rust")
                .arg(count("rounds", "5").help("Rounds; each measures every case once on both sides")),
        )
        .subcommand(
            with_build_options(Command::new("telemetry"))
                .about("The cost of telemetry, and of a bad collector")
                .arg(count("rounds", "5").help("Rounds; each measures every case once"))
                .arg(count("seconds", "4").help("Seconds a measurement"))
                .arg(count("connections", "64").help("Connections, each with one request in flight")),
        )
}

/// Adds the options of a command that builds what it measures.
fn with_build_options(command: Command) -> Command {
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

/// Runs the selected benchmark.
pub(crate) fn run(arguments: &ArgMatches) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "the benchmarks read /proc: they need Linux");
    match arguments.subcommand() {
        Some(("count", arguments)) => count::run(arguments),
        Some(("links", arguments)) => links::run(arguments),
        Some(("neighbour", arguments)) => neighbour::run(arguments),
        Some(("apps", arguments)) => apps::run(arguments),
        Some(("scale", arguments)) => scale::run(arguments),
        Some(("swap", arguments)) => swap::run(arguments),
        Some(("dev", arguments)) => dev::run(arguments),
        Some(("readme", arguments)) => readme::run(arguments),
        Some(("start", arguments)) => start::run(arguments),
        Some(("storage", arguments)) => storage::run(arguments),
        Some(("messaging", arguments)) => messaging::run(arguments),
        Some(("telemetry", arguments)) => telemetry::run(arguments),
        Some((_, arguments)) => http::run(arguments),
        None => Ok(()),
    }
}

/// Returns the servers of `--only`; `None` for all.
fn only(arguments: &ArgMatches) -> Option<Vec<String>> {
    arguments.get_many::<String>("only").map(|names| names.cloned().collect())
}

/// Returns the value of a numeric option.
fn number(arguments: &ArgMatches, name: &str) -> u16 {
    arguments.get_one(name).copied().unwrap_or(1)
}

/// Returns the build profile of Tempo.
fn profile(arguments: &ArgMatches) -> &str {
    arguments.get_one::<String>("profile").map_or("release", String::as_str)
}
