//! A service is listed twice.

mod acme;

use acme::*;

tempo_runtime::runtime! {
    name: "acme-runtime",
    about: "A runtime for a test",
    services: {
        AcmeTime = SystemClock,
        AcmeDice = LoadedDice,
        AcmeTime = SystemClock,
    },
    triggers: [],
}
