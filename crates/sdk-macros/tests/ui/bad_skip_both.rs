//! Leaves out all, and one.
#[tempo_sdk_otel::instrument(skip(id), skip_all)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
