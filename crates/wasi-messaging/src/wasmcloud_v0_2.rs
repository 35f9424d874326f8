//! `wasmcloud:messaging@0.2.0`: imports and handler types. It has one client, the default unless it is imported
//! under a label.

use tempo_settings::DEFAULT_NAME;

use crate::bindings::wasmcloud_v0_2::wasmcloud::messaging::{consumer, types};
use crate::client::Client;
use crate::{Message, MessagingView};

impl From<Message> for types::BrokerMessage {
    fn from(Message { topic, reply_to, payload, .. }: Message) -> Self {
        Self { subject: topic, body: payload.into(), reply_to }
    }
}

impl From<types::BrokerMessage> for Message {
    fn from(types::BrokerMessage { subject, body, reply_to }: types::BrokerMessage) -> Self {
        Self::new(subject, body).with_reply_to(reply_to)
    }
}

/// Requests an answer.
pub(crate) async fn request(
    client: Client,
    subject: String,
    body: Vec<u8>,
    timeout_ms: u32,
) -> Result<types::BrokerMessage, String> {
    let answer = client.ask(Message::new(subject, body), Some(timeout_ms)).await;
    answer.map(Into::into).map_err(|error| error.to_string())
}

/// Publishes a message.
pub(crate) async fn publish(client: Client, message: types::BrokerMessage) -> Result<(), String> {
    client.publish(message.into()).await.map_err(|error| error.to_string())
}

impl types::Host for MessagingView<'_> {}

impl consumer::Host for MessagingView<'_> {
    async fn request(
        &mut self,
        subject: String,
        body: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<types::BrokerMessage, String>> {
        Ok(request(self.named(DEFAULT_NAME), subject, body, timeout_ms).await)
    }

    async fn publish(&mut self, msg: types::BrokerMessage) -> wasmtime::Result<Result<(), String>> {
        Ok(publish(self.named(DEFAULT_NAME), msg).await)
    }
}
