//! A literal without `name =`.
#[tempo_sdk_otel::instrument("load order")]
fn load(id: u64) -> u64 {
    id
}

fn main() {}
