//! The option is unknown.
#[tempo_sdk_otel::instrument(ret)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
