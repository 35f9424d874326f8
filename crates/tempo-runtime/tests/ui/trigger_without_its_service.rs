//! A trigger calls components that use a service which the runtime does not provide.

mod acme;

use acme::*;

tempo_runtime::runtime! {
    name: "acme-runtime",
    about: "A runtime for a test",
    services: {
        AcmeDice = LoadedDice,
    },
    triggers: [AcmeAlarm],
}
