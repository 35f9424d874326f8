//! A method without a body.
trait Load {
    #[tempo_sdk_otel::instrument]
    fn load(&self, id: u64) -> u64;
}

fn main() {}
