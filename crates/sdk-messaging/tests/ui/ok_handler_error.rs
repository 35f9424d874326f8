//! The usual form: errors by `?`, and errors with an explicit disposition.
use std::time::Duration;
use tempo_sdk_messaging::{HandlerError, Message, publish};

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), HandlerError> {
    let number: u32 = message.json().map_err(HandlerError::reject)?;
    let text: u32 = message.text()?.parse()?;
    match number {
        0 => Err(HandlerError::reject("nothing")),
        1 => Err(HandlerError::new("later").retry_after(Duration::from_secs(1))),
        2 => Err("in words")?,
        _ => Ok(publish("numbers.seen", &text).await?),
    }
}

fn main() {}
