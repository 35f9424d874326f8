//! `cargo xtask bench scale`: the throughput of one core by the number of components and of connections.

use std::fs;

use anyhow::Result;
use clap::ArgMatches;

use super::app::App;
use super::apps::Bench;
use super::contest::Program;
use super::machine::Machine;
use super::prepare;
use super::table::{markdown, median, number};
use crate::shell::say;
use crate::workspace::Workspace;

/// The numbers of components.
const COMPONENTS: &[usize] = &[1, 4, 16, 64];
/// The numbers of connections, each with one request in flight.
const CONNECTIONS: &[u16] = &[16, 64, 256, 1000];

pub(super) fn command() -> clap::Command {
    super::with_build_options(clap::Command::new("scale"))
        .about("The throughput of one core by the number of components and of connections")
        .arg(super::count("rounds", "3").help("Rounds; each measures every cell once"))
        .arg(super::count("seconds", "2").help("Seconds a measurement"))
}

pub(super) fn run(arguments: &ArgMatches) -> Result<()> {
    let workspace = Workspace::load()?;
    let files = prepare::files(&[Program::Tempo], super::profile(arguments), !arguments.get_flag("no-build"))?;
    let directory = workspace.target.join("bench-scale");
    let bench = Bench::new(&files, directory.clone());
    let apps = COMPONENTS.iter().map(|&components| bench.app(components)).collect::<Result<Vec<_>>>()?;
    let seconds = f64::from(super::number(arguments, "seconds"));
    let rounds = super::number(arguments, "rounds");
    let mut measured = Vec::new();
    for round in 1..=rounds {
        say(&format!("round {round} of {rounds}"));
        measured.push(rates(&bench, &apps, seconds)?);
    }
    println!("{}\n", Machine::read(&files, bench.cores).markdown());
    println!("{}", report(&measured));
    drop(apps);
    let _ = fs::remove_dir(directory);
    Ok(())
}

/// Returns the requests a second by components, and by connections.
fn rates(bench: &Bench<'_>, apps: &[App<'_>], seconds: f64) -> Result<Vec<Vec<f64>>> {
    let of_app = |(app, &components): (&App<'_>, &usize)| {
        CONNECTIONS.iter().map(|&connections| bench.rate(app, components, connections, seconds)).collect()
    };
    apps.iter().zip(COMPONENTS).map(of_app).collect()
}

/// Shows the median ratio of each cell to that of one component and 64 connections in the same round.
fn report(rounds: &[Vec<Vec<f64>>]) -> String {
    let cell = |round: &[Vec<f64>], row: usize, column: usize| round.get(row)?.get(column).copied();
    let ratio = |row, column| {
        let of_round = |round: &Vec<Vec<f64>>| Some(cell(round, row, column)? / cell(round, 0, 1)?);
        number(median(rounds.iter().filter_map(of_round)), 2)
    };
    let row = |(row, components): (usize, &usize)| {
        let ratios = (0..CONNECTIONS.len()).map(|column| ratio(row, column));
        std::iter::once(components.to_string()).chain(ratios).collect::<Vec<_>>()
    };
    let rows: Vec<_> = COMPONENTS.iter().enumerate().map(row).collect();
    let connections: Vec<_> = CONNECTIONS.iter().map(|connections| format!("{connections} connections")).collect();
    let header: Vec<&str> = std::iter::once("components").chain(connections.iter().map(String::as_str)).collect();
    let base = number(median(rounds.iter().filter_map(|round| cell(round, 0, 1))), 0);
    format!(
        "Of the {base} requests a second of one component and 64 connections, each cell answers this part:\n\n{}",
        markdown(&header, &rows)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_ratios_of_their_round() {
        let round = |factor: f64| {
            let row = |row: f64| (0..4).map(|column| factor * (100.0 - row * 10.0 - f64::from(column))).collect();
            [0.0, 1.0, 2.0, 3.0].map(row).to_vec()
        };
        let table = report(&[round(1.0), round(10.0), round(1.0)]);
        assert!(table.contains("Of the 99 requests"), "{table}");
        let last = table.lines().last().unwrap();
        let cells: Vec<_> = last.split('|').map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert_eq!(cells, ["64", "0.71", "0.70", "0.69", "0.68"]);
    }
}
