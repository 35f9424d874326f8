//! Parses callgrind profiles: instructions, calls of the allocator, and system calls of one thread.

use std::collections::HashMap;
use std::ops::Add;

/// The allocation functions: mimalloc's behind Rust's `GlobalAlloc`, and libc's.
const ALLOCATORS: &[&str] = &[
    "mi_malloc",
    "mi_zalloc",
    "mi_calloc",
    "mi_realloc",
    "mi_malloc_aligned",
    "mi_zalloc_aligned",
    "mi_realloc_aligned",
    "malloc",
    "calloc",
    "realloc",
    "aligned_alloc",
    "posix_memalign",
];

/// Excluded: it is a system call under valgrind only, which hides the vDSO.
const CLOCK: &str = "clock_gettime";

/// The counts of a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) instructions: u64,
    pub(crate) allocations: u64,
    pub(crate) system_calls: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            instructions: self.instructions + other.instructions,
            allocations: self.allocations + other.allocations,
            system_calls: self.system_calls + other.system_calls,
        }
    }
}

/// The names of functions: the first occurrence is `(NUMBER) NAME`, later ones are `(NUMBER)`.
#[derive(Default)]
struct Names<'p>(HashMap<&'p str, &'p str>);

impl<'p> Names<'p> {
    fn of(&mut self, mention: &'p str) -> &'p str {
        match mention.split_once(' ') {
            Some((number, name)) => {
                self.0.insert(number, name);
                name
            }
            None => self.0.get(mention).copied().unwrap_or_default(),
        }
    }
}

/// Parses the profile of one thread, with events `Ir sysCount ...`. Returns zeros if the thread sleeps: the epoch
/// thread depends on the clock, not on the requests.
pub(crate) fn read(profile: &str) -> Counts {
    let mut names = Names::default();
    let mut counts = Counts::default();
    let (mut function, mut callee) = ("", "");
    let mut inclusive = false;
    for line in profile.lines() {
        if let Some(mention) = line.strip_prefix("fn=") {
            function = names.of(mention);
            if function.contains("nanosleep") {
                return Counts::default();
            }
        } else if let Some(mention) = line.strip_prefix("cfn=") {
            callee = names.of(mention);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if is_allocator(callee) {
                counts.allocations += calls.split(' ').next().and_then(|calls| calls.parse().ok()).unwrap_or(0);
            }
            inclusive = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit() || "+-*".contains(first)) {
            // The line after `calls=` is the callee's cost, which has its own lines.
            if !std::mem::take(&mut inclusive) {
                let mut costs = line.split(' ').skip(1).map(|cost| cost.parse().unwrap_or(0));
                counts.instructions += costs.next().unwrap_or(0);
                if !function.starts_with(CLOCK) {
                    counts.system_calls += costs.next().unwrap_or(0);
                }
            }
        }
    }
    counts
}

/// Names may end in a symbol version or a recursion depth.
fn is_allocator(name: &str) -> bool {
    let bare = name.split(['@', '\'']).next().unwrap_or_default();
    ALLOCATORS.contains(&bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = "\
events: Ir sysCount sysTime sysCpuTime
summary: 1000 3 77 5

fn=(1) serve
0 100
cob=(2)
cfn=(7) mi_malloc_aligned
calls=4 0
0 240
+12 30 2 50 4
cfn=(8) malloc@@GLIBC_2.2.5
calls=1 0
* 9

fn=(7)
-12 240

fn=(11) clock_gettime@@GLIBC_2.17
0 29 6 6

fn=(9) other
5 1 1
cfn=(7)
calls=2 0
0 120
";

    #[test]
    fn own_costs_are_summed_and_allocations_counted() {
        let expected = Counts { instructions: 400, allocations: 7, system_calls: 3 };
        assert_eq!(read(PROFILE), expected);
    }

    #[test]
    fn a_thread_that_sleeps_does_not_count() {
        assert_eq!(read(&format!("{PROFILE}\nfn=(10) clock_nanosleep@@GLIBC_2.17\n0 10 1\n")), Counts::default());
    }
}
