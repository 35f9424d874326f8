//! `skip` without arguments.
#[tempo_sdk_otel::instrument(skip)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
