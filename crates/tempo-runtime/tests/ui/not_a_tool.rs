//! A type under `tools` does not implement `Tool`.

mod acme;

use acme::*;

tempo_runtime::runtime! {
    name: "acme-runtime",
    about: "A runtime for a test",
    services: {
        AcmeTime = SystemClock,
    },
    triggers: [AcmeAlarm],
    tools: [AcmeAlarm],
}
