//! A function that may run in the compiler.
#[tempo_sdk_otel::instrument]
const fn load(id: u64) -> u64 {
    id
}

fn main() {}
