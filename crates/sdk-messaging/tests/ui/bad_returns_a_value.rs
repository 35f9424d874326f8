//! The function returns a value: replies are sent, not returned.
use tempo_sdk_messaging::{HandlerError, Message};

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<String, HandlerError> {
    Ok(message.topic().to_owned())
}

fn main() {}
