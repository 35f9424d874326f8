//! What is listed as a tool is none.

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
