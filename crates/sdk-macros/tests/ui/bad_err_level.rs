//! `err` has an option.
#[tempo_sdk_otel::instrument(err = "warn")]
fn load(id: u64) -> Result<u64, std::fmt::Error> {
    Ok(id)
}

fn main() {}
