//! Handles messages for `cargo xtask bench messaging`: answers those that ask for it, and is done.

use tempo_sdk_messaging::{Error, Message};

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), Error> {
    if let Some(answer) = message.answer() {
        answer.bytes(message.bytes()).publish().await?;
    }
    Ok(())
}
