//! Calls that end without a response.

use std::hint::black_box;

const MIB: usize = 1 << 20;

pub(crate) fn panicking() -> ! {
    panic!("asked to panic; the secret is xyzzy")
}

/// Loops forever without yielding.
pub(crate) fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

/// Computes for that many rounds, at any cost of time.
pub(crate) fn count(limit: u64) -> String {
    let mut rounds = 0_u64;
    while rounds < limit {
        rounds = black_box(rounds.wrapping_add(1));
    }
    format!("{rounds}\n")
}

/// Allocates and touches that many MiB, or traps.
pub(crate) fn hog(mib: u64) -> String {
    let mut held = Vec::new();
    while (held.len() as u64) < mib {
        held.push(black_box(vec![1_u8; MIB]));
    }
    format!("{} MiB\n", held.len())
}
