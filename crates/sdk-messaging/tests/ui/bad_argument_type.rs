//! The argument is not a `Message`.
use tempo_sdk_messaging::Error;

#[tempo_sdk_messaging::handler]
async fn handle(order: String) -> Result<(), Error> {
    drop(order);
    Ok(())
}

fn main() {}
