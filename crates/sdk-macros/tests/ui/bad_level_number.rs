//! The level is a number.
#[tempo_sdk_otel::instrument(level = 3)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
