//! The parts of `runtime!` have an order.

tempo_runtime::runtime! {
    services: {},
    name: "acme-runtime",
}

fn main() {}
