//! `skip` of an unknown argument.
#[tempo_sdk_otel::instrument(skip(id, pasword))]
fn load(id: u64, password: &str) -> u64 {
    id + password.len() as u64
}

fn main() {}
