//! A type under `triggers` does not implement `Trigger`.

mod acme;

use acme::*;

tempo_runtime::runtime! {
    name: "acme-runtime",
    about: "A runtime for a test",
    services: {
        AcmeTime = SystemClock,
    },
    triggers: [SystemClock],
}
