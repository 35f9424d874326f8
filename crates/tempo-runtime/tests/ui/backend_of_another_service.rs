//! A service has the backend of another.

mod acme;

use acme::*;

tempo_runtime::runtime! {
    name: "acme-runtime",
    about: "A runtime for a test",
    services: {
        AcmeTime = LoadedDice,
    },
    triggers: [],
}
