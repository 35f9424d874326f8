//! The results of `cargo xtask bench links`.

use super::cases::{CASES, Case, Goal, index};
use crate::bench::table::{markdown, median, number};

/// The results of one case.
#[derive(Default)]
pub(super) struct Record {
    /// Microseconds of the server's CPU time for each request, by round.
    pub(super) cpu: Vec<f64>,
    /// Instructions for each request.
    pub(super) instructions: Option<f64>,
}

/// Returns the cost of one call in each round.
fn calls(records: &[Record], case: &Case) -> Vec<f64> {
    let of = |name: &str| index(name).and_then(|index| records.get(index)).map_or(&[][..], |record| &record.cpu);
    let mine = of(case.name);
    match case.base {
        None => mine.to_vec(),
        Some(base) => mine.iter().zip(of(base)).map(|(mine, base)| (mine - base) / f64::from(case.calls)).collect(),
    }
}

/// Returns the instructions of one call.
fn instructions(records: &[Record], case: &Case) -> Option<f64> {
    let of = |name: &str| records.get(index(name)?)?.instructions;
    match case.base {
        None => of(case.name),
        Some(base) => Some((of(case.name)? - of(base)?) / f64::from(case.calls)),
    }
}

/// Returns the goal, the value to compare with it, and whether that reaches it.
fn goal(records: &[Record], case: &Case) -> [String; 3] {
    let mine = calls(records, case);
    let against = |name: &str, compare: fn(f64, f64) -> f64| {
        let other = index(name).and_then(|index| CASES.get(index)).map(|case| calls(records, case)).unwrap_or_default();
        median(mine.iter().zip(&other).map(|(mine, other)| compare(*mine, *other)))
    };
    let (text, value, limit) = match case.goal {
        Goal::None => return Default::default(),
        Goal::Micros(limit) => (format!("{limit} µs"), median(mine.iter().copied()), limit),
        Goal::More(limit, other) => {
            (format!("{limit} µs more than {other}"), against(other, |mine, other| mine - other), limit)
        }
        Goal::Share(limit, other) => (format!("{limit} of {other}"), against(other, |mine, other| mine / other), limit),
    };
    let reached = value.map(|value| if value <= limit { "yes" } else { "no" });
    [text, number(value, 2), reached.unwrap_or("-").to_owned()]
}

/// Formats the cases as Markdown.
pub(super) fn table(records: &[Record]) -> String {
    let row = |case: &Case| {
        let cpu = calls(records, case);
        let mut row = vec![case.title.to_owned(), number(median(cpu.iter().copied()), 3)];
        row.push(number(instructions(records, case), 0));
        row.extend(goal(records, case));
        row
    };
    let head = ["a call, or a request", "CPU µs", "instructions", "goal: at most", "is", "reached"];
    markdown(&head, &CASES.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_a_round() {
        let mut records: Vec<Record> = CASES.iter().map(|_| Record::default()).collect();
        let mut set = |name: &str, cpu: [f64; 3]| {
            if let Some(record) = index(name).and_then(|index| records.get_mut(index)) {
                record.cpu = cpu.to_vec();
            }
        };
        // The machine was half as fast in the second round.
        set("none", [10.0, 20.0, 10.0]);
        set("tcp", [90.0, 180.0, 90.0]);
        set("chain", [30.0, 60.0, 30.0]);
        set("isolated", [210.0, 420.0, 250.0]);
        let [chain, isolated] = ["chain", "isolated"].map(|name| &CASES[index(name).unwrap_or_default()]);
        assert_eq!(calls(&records, isolated), [5.0, 10.0, 6.0]);
        assert_eq!(goal(&records, chain), ["0.5 of tcp", "0.25", "yes"]);
        assert_eq!(goal(&records, isolated), ["5 µs", "6.00", "no"]);
    }
}
