//! Errors of another crate and of the standard library: each is a retry.
use std::num::ParseIntError;
use tempo_sdk_messaging::Message;

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let number: Result<u32, ParseIntError> = message.text()?.parse();
    println!("{}", number?);
    Ok(())
}

fn main() {}
