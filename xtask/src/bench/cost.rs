//! The cost of a request in user space, counted by callgrind.

use anyhow::Result;

use super::callgrind::Callgrind;
use super::load::Generator;
use super::profile::Counts;
use super::table::median;

/// The number of requests before counting: they fill pools, caches and idle instances.
const WARM_UP_REQUESTS: u32 = 160;
/// The request counts of a round. The cost of a request is the difference, in which connecting and closing cancel out.
const FEW_REQUESTS: u32 = 64;
const MANY_REQUESTS: u32 = 320;

/// The flags of a Tempo under valgrind, whose address space holds no larger pool, and whose CPU is slow.
pub(super) const FLAGS: &[&str] = &[
    "--http-threads",
    "1",
    "--max-requests",
    "4",
    "--max-memory",
    "16MiB",
    "--cpu-timeout",
    "1m",
    "--request-timeout",
    "2m",
];
/// The target of guests that run the same on every CPU.
pub(super) const ANY_PROCESSOR: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-gnu" } else { "x86_64-unknown-linux-gnu" };

/// The cost of a request, and the median deviation of the rounds, as a share.
pub(super) struct Cost {
    pub(super) instructions: f64,
    pub(super) spread: f64,
    pub(super) allocations: f64,
    pub(super) system_calls: f64,
}

impl Cost {
    /// Counts the requests of `generator` in this many rounds, of which the medians count.
    pub(super) fn count(server: &mut Callgrind, generator: &Generator<'_>, rounds: u16) -> Result<Self> {
        let addr = server.server().addr;
        generator.requests(addr, WARM_UP_REQUESTS)?;
        let mut counted = Vec::new();
        for _ in 0..rounds {
            let few = server.count(|| generator.requests(addr, FEW_REQUESTS).map(drop))?;
            let many = server.count(|| generator.requests(addr, MANY_REQUESTS).map(drop))?;
            counted.push((few, many));
        }
        Ok(Self::of(&counted))
    }

    fn of(rounds: &[(Counts, Counts)]) -> Self {
        let each = |count: fn(&Counts) -> u64| {
            let of_round = move |(few, many): &(Counts, Counts)| {
                (count(many) as f64 - count(few) as f64) / f64::from(MANY_REQUESTS - FEW_REQUESTS)
            };
            rounds.iter().map(of_round)
        };
        let middle = |count: fn(&Counts) -> u64| median(each(count)).unwrap_or_default();
        let instructions = middle(|counts| counts.instructions);
        // Half of the rounds deviate less than this.
        let spread = median(each(|counts| counts.instructions).map(|round| (round / instructions - 1.0).abs()));
        Self {
            instructions,
            spread: spread.unwrap_or_default(),
            allocations: middle(|counts| counts.allocations),
            system_calls: middle(|counts| counts.system_calls),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_a_request_is_the_difference() {
        let counts = |requests: u64, more: u64| Counts {
            instructions: 5_000 + 1_000 * requests + more,
            allocations: 4 + 10 * requests,
            system_calls: 8 + 2 * requests,
        };
        let quiet = (counts(64, 0), counts(320, 0));
        let cost = Cost::of(&[quiet, (counts(64, 2_560), counts(320, 0)), (counts(64, 0), counts(320, 2_560))]);
        assert_eq!((cost.instructions, cost.allocations, cost.system_calls), (1_000.0, 10.0, 2.0));
        assert!((cost.spread - 0.01).abs() < 1e-9, "{}", cost.spread);
    }
}
