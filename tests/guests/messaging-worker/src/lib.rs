//! Handles messages only, as a component for `tempo-worker`. Each call takes the time of the header `sleep-ms`, and
//! stores the payload as the key `work/PAYLOAD` in the keyvalue store `default`; a repeated call only increments the
//! count in it.

use std::time::Duration;

use tempo_sdk_keyvalue::Bucket;
use tempo_sdk_messaging::{HandlerError, Message};

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), HandlerError> {
    let work = message.text()?.to_owned();
    println!("begins {work}, attempt {}", message.attempt());
    if let Some(milliseconds) = message.header("sleep-ms") {
        // Uses only the clock of the crate: the component imports nothing of HTTP.
        tempo_sdk_http::sleep(Duration::from_millis(milliseconds.parse()?)).await;
    }
    let bucket = Bucket::open("default").await?;
    bucket.increment(format!("work/{work}"), 1).await?;
    Ok(())
}
