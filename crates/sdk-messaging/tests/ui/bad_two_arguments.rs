//! The parts of a message, one by one.

#[tempo_sdk_messaging::handler]
async fn handle(topic: String, payload: Vec<u8>) {
    drop((topic, payload));
}

fn main() {}
