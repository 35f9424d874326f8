//! A comma is missing.
#[tempo_sdk_otel::instrument(skip(id) level = "debug")]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
