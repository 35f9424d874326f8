//! Handles messages with `tempo-sdk-otel`: the SDK creates the span of the delivery, `check` is its child, and
//! `work.checked` is published in that.

use tempo_sdk_messaging::{Error, Message};
use tempo_sdk_otel::instrument;

#[tempo_sdk_messaging::handler]
async fn handle(message: Message) -> Result<(), Error> {
    check(message.bytes()).await
}

#[instrument(skip_all)]
async fn check(work: &[u8]) -> Result<(), Error> {
    Message::new("work.checked").bytes(work).publish().await
}
