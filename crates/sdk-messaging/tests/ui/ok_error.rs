//! The error of the crate.
use tempo_sdk_messaging::{Error, Message};

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), Error> {
    message.reply("seen").await
}

fn main() {}
