//! The results of `cargo xtask bench http`, as a table for people and as JSON for programs.

use serde_json::{Value, json};

use super::contest::{Contestant, NATIVE};
use super::load::Load;
use super::table::{markdown, median, number};
use crate::shell::say;

/// The minimum share of its core, in percent, of a server that is not limited by anything else.
const MIN_CORE_PERCENT: f64 = 85.0;

/// The results of one server in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) load: Load,
    /// Microseconds of the server's CPU time per request.
    pub(crate) cpu: f64,
    /// Context switches of the server per request.
    pub(crate) switches: f64,
}

impl Sample {
    /// Returns the server's share of a core, in percent.
    pub(crate) fn share(&self) -> f64 {
        self.cpu * self.load.rate / 1e4
    }

    fn json(&self) -> Value {
        json!({
            "rps": self.load.rate,
            "cpu_us": self.cpu,
            "switches": self.switches,
            "p50_us": self.load.p50,
            "p99_us": self.load.p99,
        })
    }
}

/// The results of one server in all rounds.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) contestant: &'static Contestant,
    pub(crate) samples: Vec<Sample>,
    /// System calls per request.
    pub(crate) calls: Option<f64>,
}

impl Record {
    pub(crate) fn new(contestant: &'static Contestant) -> Self {
        Self { contestant, samples: Vec::new(), calls: None }
    }

    fn median(&self, value: impl Fn(&Sample) -> f64) -> Option<f64> {
        median(self.samples.iter().map(value))
    }

    fn of_native(&self, all: &[Self]) -> Option<f64> {
        self.ratio(find(all, NATIVE))
    }

    fn of_wasmtime(&self, all: &[Self]) -> Option<f64> {
        self.ratio(self.contestant.against.and_then(|name| find(all, name)))
    }

    /// Returns the median over the rounds of the CPU time of a native request, divided by that of one here.
    fn cpu_of_native(&self, all: &[Self]) -> Option<f64> {
        let pairs = self.samples.iter().zip(&find(all, NATIVE)?.samples);
        median(pairs.map(|(mine, native)| native.cpu / mine.cpu))
    }

    /// Returns the median over the rounds of the ratio of requests to another server.
    fn ratio(&self, other: Option<&Self>) -> Option<f64> {
        let pairs = self.samples.iter().zip(&other?.samples);
        median(pairs.map(|(mine, theirs)| mine.load.rate / theirs.load.rate))
    }

    fn json(&self, all: &[Self]) -> Value {
        json!({
            "name": self.contestant.name,
            "rps": self.median(|sample| sample.load.rate),
            "of_native": self.of_native(all),
            "of_wasmtime": self.of_wasmtime(all),
            "cpu_us": self.median(|sample| sample.cpu),
            "cpu_of_native": self.cpu_of_native(all),
            "syscalls": self.calls,
            "switches": self.median(|sample| sample.switches),
            "p50_us": self.median(|sample| sample.load.p50),
            "p99_us": self.median(|sample| sample.load.p99),
            "rounds": self.samples.iter().map(Sample::json).collect::<Vec<_>>(),
        })
    }

    fn row(&self, all: &[Self]) -> Vec<String> {
        let millis = |value: Option<f64>| number(value.map(|micros| micros / 1_000.0), 2);
        vec![
            self.contestant.title.to_owned(),
            number(self.median(|sample| sample.load.rate), 0),
            number(self.of_native(all), 2),
            number(self.of_wasmtime(all), 2),
            number(self.median(|sample| sample.cpu), 1),
            number(self.cpu_of_native(all), 2),
            self.calls.map_or_else(|| "n/a".to_owned(), |calls| number(Some(calls), 1)),
            number(self.median(|sample| sample.switches), 2),
            millis(self.median(|sample| sample.load.p50)),
            millis(self.median(|sample| sample.load.p99)),
        ]
    }
}

/// Warns of servers that did not saturate their core.
pub(crate) fn warn(records: &[Record]) {
    let short = records.iter().filter_map(|record| {
        let share = record.median(Sample::share).filter(|share| *share < MIN_CORE_PERCENT)?;
        Some(format!("{} {share:.0} %", record.contestant.name))
    });
    let short: Vec<_> = short.collect();
    if !short.is_empty() {
        say(&format!(
            "servers that had less than their core: {}. Other processes took the rest, or the load could not keep up: \
             the requests a second are too low, the CPU time a request stands",
            short.join(", ")
        ));
    }
}

/// Formats the servers as JSON, in order.
pub(crate) fn json(records: &[Record]) -> Value {
    records.iter().map(|record| record.json(records)).collect()
}

/// Formats the servers as Markdown.
pub(crate) fn table(records: &[Record]) -> String {
    let head = [
        "server",
        "requests/s",
        "of native",
        "of `wasmtime serve`",
        "CPU µs a request",
        "native CPU / CPU",
        "syscalls a request",
        "switches a request",
        "p50 ms",
        "p99 ms",
    ];
    markdown(&head, &records.iter().map(|record| record.row(records)).collect::<Vec<_>>())
}

fn find<'a>(records: &'a [Record], name: &str) -> Option<&'a Record> {
    records.iter().find(|record| record.contestant.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::contest::CONTESTANTS;

    #[test]
    fn every_comparison_is_with_a_server_that_runs() {
        for contestant in CONTESTANTS {
            assert!(contestant.against.is_none_or(|name| CONTESTANTS.iter().any(|other| other.name == name)));
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let record = |index: usize, rates: [f64; 3]| {
            let sample = |rate| {
                let load = Load { requests: 1.0, rate, p50: 1.0, p90: 1.5, p99: 2.0 };
                Sample { load, cpu: 1.0, switches: 0.0 }
            };
            Record { samples: rates.map(sample).to_vec(), ..Record::new(&CONTESTANTS[index]) }
        };
        // The machine was half as fast in the second round: the ratio is unchanged.
        let records = [record(0, [100.0, 50.0, 100.0]), record(2, [20.0, 10.0, 10.0]), record(1, [40.0, 20.0, 20.0])];
        assert_eq!(records[2].of_native(&records), Some(0.4));
        assert_eq!(records[2].of_wasmtime(&records), Some(2.0));
        assert_eq!(records[1].of_wasmtime(&records), None);
    }
}
