//! The function is not async.
use tempo_sdk_messaging::{Error, Message};

#[tempo_sdk_messaging::handler]
fn handle(message: Message) -> Result<(), Error> {
    drop(message);
    Ok(())
}

fn main() {}
