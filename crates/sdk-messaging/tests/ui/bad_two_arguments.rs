//! The function takes the parts of a message as arguments.

#[tempo_sdk_messaging::handler]
async fn handle(topic: String, payload: Vec<u8>) {
    drop((topic, payload));
}

fn main() {}
