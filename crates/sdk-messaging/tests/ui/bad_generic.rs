//! The function is generic.
use tempo_sdk_messaging::{Error, Message};

#[tempo_sdk_messaging::handler]
async fn handle<T>(message: Message) -> Result<(), Error> {
    drop(message);
    Ok(())
}

fn main() {}
