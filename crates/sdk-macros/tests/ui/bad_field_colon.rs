//! A field with a colon.
#[tempo_sdk_otel::instrument(fields(order: 1))]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
