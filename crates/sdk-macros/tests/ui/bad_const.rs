//! The function is `const`.
#[tempo_sdk_otel::instrument]
const fn load(id: u64) -> u64 {
    id
}

fn main() {}
