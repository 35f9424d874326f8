//! One option, twice.
#[tempo_sdk_otel::instrument(skip(id), level = "debug", skip(id))]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
