//! The attribute has an option: subscriptions belong to the host's settings.
use tempo_sdk_messaging::{Error, Message};

#[tempo_sdk_messaging::handler(topic = "orders.>")]
async fn handle(message: Message) -> Result<(), Error> {
    drop(message);
    Ok(())
}

fn main() {}
