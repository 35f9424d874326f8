//! A service has no backend.

mod acme;

use acme::*;

tempo_runtime::runtime! {
    name: "acme-runtime",
    about: "A runtime for a test",
    services: {
        AcmeTime = SystemClock,
        AcmeDice,
    },
    triggers: [],
}
