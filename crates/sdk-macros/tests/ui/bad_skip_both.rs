//! `skip_all` together with `skip(..)`.
#[tempo_sdk_otel::instrument(skip(id), skip_all)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
