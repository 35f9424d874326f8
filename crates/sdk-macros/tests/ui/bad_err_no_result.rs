//! `err` on a function that does not return a `Result`.
#[tempo_sdk_otel::instrument(err)]
async fn load(id: u64) -> u64 {
    id
}

fn main() {}
