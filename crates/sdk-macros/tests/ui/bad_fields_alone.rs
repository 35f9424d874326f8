//! Fields without parentheses.
#[tempo_sdk_otel::instrument(fields = 1)]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
