//! Handles messages for `cargo xtask bench messaging`: replies to requests, and acknowledges the others. It traps on
//! payloads that begin with `poison`.

use tempo_sdk_messaging::{Error, Message};

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), Error> {
    assert!(!message.bytes().starts_with(b"poison"), "poison");
    if let Some(answer) = message.answer() {
        answer.bytes(message.bytes()).publish().await?;
    }
    Ok(())
}
