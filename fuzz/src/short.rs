//! Runs every target for two seconds.
//!
//! `TEMPO_FUZZ_SECONDS` sets another time. A failure prints its seed: `TEMPO_FUZZ_SEED` repeats the same inputs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::mutator::Mutator;
use crate::{Outcome, TARGETS, Target};

const DEFAULT_SECONDS: u64 = 2;
/// At least one input of so many must be accepted: the inputs then reach the code behind the first checks.
const MIN_ACCEPTED: u64 = 50;

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

fn run(target: &Target) {
    let seed = variable("TEMPO_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let time = Duration::from_secs(variable("TEMPO_FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS));
    for valid in (target.seeds)() {
        assert_eq!((target.run)(&valid), Outcome::Accepted, "the seed \"{}\"", valid.escape_ascii());
    }
    let mut mutator = Mutator::new(target, seed);
    let (mut inputs, mut accepted) = (0_u64, 0_u64);
    let started = Instant::now();
    while started.elapsed() < time {
        let input = mutator.next_input();
        inputs += 1;
        match catch_unwind(AssertUnwindSafe(|| (target.run)(&input))) {
            Ok(Outcome::Accepted) => accepted += 1,
            Ok(Outcome::Refused) => {}
            Err(_) => panic!(
                "{} fails with input {inputs} of the seed {seed}: b\"{}\"\nto repeat it: \
                 `TEMPO_FUZZ_SEED={seed} cargo test -p tempo-fuzz --lib short::{}`",
                target.name,
                input.escape_ascii(),
                target.name,
            ),
        }
    }
    println!("{}: {accepted} of {inputs} inputs were accepted", target.name);
    assert!(
        accepted >= inputs / MIN_ACCEPTED,
        "only {accepted} of {inputs} inputs were accepted, with the seed {seed}"
    );
}

macro_rules! short {
    ($($name:ident)+) => {
        $(
            #[test]
            fn $name() {
                run(&crate::$name::TARGET);
            }
        )+

        #[test]
        fn all_targets_are_run_and_have_a_program() {
            let run = [$(stringify!($name)),+];
            let targets: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(targets, run);
            let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz_targets");
            let programs = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            let mut programs: Vec<_> = programs.map(|path| path.file_stem().unwrap().to_owned()).collect();
            programs.sort();
            assert_eq!(programs, run);
        }
    };
}

short! {
    backend_urls egress_grants env_file http_fields messages otel_values otlp_intake precompiled settings_file topics
}
