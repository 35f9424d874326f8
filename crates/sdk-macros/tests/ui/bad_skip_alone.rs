//! Does not say what to leave out.
#[tempo_sdk_otel::instrument(skip)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
