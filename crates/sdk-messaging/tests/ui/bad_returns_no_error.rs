//! The error type implements no `Error`.
use tempo_sdk_messaging::Message;

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), u32> {
    drop(message);
    Err(7)
}

fn main() {}
