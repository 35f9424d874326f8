//! A load generator for HTTP/1.1 servers, in one thread: it measures throughput and latencies.
//!
//! It must cost less than any server that it measures: plain sockets, one poll, no copies. Each connection has one
//! request in flight and sends the next after the response (a closed loop), so latencies are those at saturation. With
//! `--rate` the clock starts requests (an open loop), and a latency includes the wait for a free connection.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Map, Value, json};

use crate::run::{Outcome, Plan};

mod histogram;
mod response;
mod run;
mod schedule;
mod timer;

fn main() -> ExitCode {
    let outcome = plan(&command().get_matches()).and_then(|plan| Ok(report(&plan, &run::run(&plan)?)));
    match outcome {
        Ok(report) => {
            println!("{report:#}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let option = |name: &'static str| Arg::new(name).long(name);
    Command::new("load")
        .about("Sends requests to an HTTP/1.1 server and writes what came back as JSON")
        .arg(
            Arg::new("addr").value_name("ADDR").required(true).value_parser(address).help("IP:PORT, or http://IP:PORT"),
        )
        .arg(
            option("path")
                .action(ArgAction::Append)
                .default_value("/")
                .help("Path and query to ask for; several are spread over the connections"),
        )
        .arg(option("header").action(ArgAction::Append).value_name("NAME: VALUE").help("A header to send as well"))
        .arg(
            option("body-bytes")
                .value_name("N")
                .default_value("0")
                .value_parser(value_parser!(u32).range(..=64 << 20))
                .help("POST a body of N bytes; 0 sends a GET without one"),
        )
        .arg(
            option("connections")
                .default_value("64")
                .value_parser(value_parser!(u16).range(1..))
                .help("Connections, each with one request in flight"),
        )
        .arg(
            option("rate")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .help("Start N requests a second, whether or not earlier ones are answered")
                .conflicts_with("new-connection-per-request"),
        )
        .arg(option("duration").default_value("5").value_parser(seconds).value_name("SECONDS").help("How long"))
        .arg(
            option("requests")
                .value_parser(value_parser!(u64).range(1..))
                .help("How many requests instead of how long (at most 600 seconds)")
                .conflicts_with("duration"),
        )
        .arg(
            option("new-connection-per-request")
                .action(ArgAction::SetTrue)
                .help("Connect for each request; the latency then includes connecting"),
        )
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse()?;
    ensure!(seconds > 0.0 && seconds <= 86_400.0, "must be more than 0 and at most 86400");
    Ok(Duration::from_secs_f64(seconds))
}

fn address(text: &str) -> Result<SocketAddr> {
    let bare = text.trim_start_matches("http://").trim_end_matches('/');
    bare.parse().context("expected IP:PORT or http://IP:PORT")
}

fn plan(matches: &ArgMatches) -> Result<Plan> {
    let addr: SocketAddr = *matches.get_one("addr").context("no address")?;
    let reconnect = matches.get_flag("new-connection-per-request");
    let requests = matches.get_one("requests").copied();
    let duration = matches.get_one("duration").copied().unwrap_or_default();
    let body = matches.get_one::<u32>("body-bytes").copied().unwrap_or_default();

    let request = |path: &String| {
        let method = if body > 0 { "POST" } else { "GET" };
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {addr}\r\n");
        if body > 0 {
            request.push_str(&format!("content-length: {body}\r\n"));
        }
        for header in matches.get_many::<String>("header").into_iter().flatten() {
            request.push_str(header);
            request.push_str("\r\n");
        }
        if reconnect {
            request.push_str("connection: close\r\n");
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        request.extend(std::iter::repeat_n(b'x', body as usize));
        request
    };
    Ok(Plan {
        addr,
        sent: matches.get_many("path").into_iter().flatten().map(request).collect(),
        rate: matches.get_one("rate").copied(),
        connections: matches.get_one::<u16>("connections").copied().unwrap_or(1).into(),
        requests,
        time: if requests.is_some() { Duration::from_secs(600) } else { duration },
        reconnect,
    })
}

fn report(plan: &Plan, outcome: &Outcome) -> Value {
    let seconds = outcome.elapsed.as_secs_f64();
    let round = |value: f64| (value * 10.0).round() / 10.0;
    let share = |share| round(outcome.latency.percentile(share));
    let statuses: Map<_, _> = outcome.statuses.iter().map(|(status, n)| (status.to_string(), json!(n))).collect();
    json!({
        "connections": plan.connections,
        "seconds": seconds,
        "requests": outcome.responses(),
        "rps": round(outcome.responses() as f64 / seconds),
        "statuses": statuses,
        "errors": outcome.errors,
        "unfinished": outcome.unfinished,
        "body_bytes": outcome.body,
        "latency_us": {
            "mean": round(outcome.latency.mean()),
            "p50": share(0.5),
            "p90": share(0.9),
            "p99": share(0.99),
            "p999": share(0.999),
            "max": round(outcome.latency.max()),
        },
    })
}
