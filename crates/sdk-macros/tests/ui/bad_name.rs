//! The name is not a literal.
const NAME: &str = "load order";

#[tempo_sdk_otel::instrument(name = NAME)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
