//! The level is unknown.
#[tempo_sdk_otel::instrument(level = "verbose")]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
