//! The return type maps to no disposition.
use tempo_sdk_messaging::Message;

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> bool {
    message.bytes().is_empty()
}

fn main() {}
