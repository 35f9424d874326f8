//! Ends that are no answer.

use std::hint::black_box;

const MIB: usize = 1 << 20;

pub(crate) fn panicking() -> ! {
    panic!("asked to panic; the secret is xyzzy")
}

/// Never gives the processor back by itself.
pub(crate) fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

/// Computes for so many rounds, however long that takes.
pub(crate) fn count(limit: u64) -> String {
    let mut rounds = 0_u64;
    while rounds < limit {
        rounds = black_box(rounds.wrapping_add(1));
    }
    format!("{rounds}\n")
}

/// Allocates and touches that many MiB, or dies on the way.
pub(crate) fn hog(mib: u64) -> String {
    let mut held = Vec::new();
    while (held.len() as u64) < mib {
        held.push(black_box(vec![1_u8; MIB]));
    }
    format!("{} MiB\n", held.len())
}
