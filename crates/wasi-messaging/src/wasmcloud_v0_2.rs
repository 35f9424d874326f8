//! `wasmcloud:messaging@0.2.0`: imports and handler types. It has one client, the default.

use tempo_settings::DEFAULT_NAME;

use crate::bindings::wasmcloud_v0_2::wasmcloud::messaging::{consumer, types};
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

impl types::Host for MessagingView<'_> {}

impl consumer::Host for MessagingView<'_> {
    async fn request(
        &mut self,
        subject: String,
        body: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<types::BrokerMessage, String>> {
        let message = Message::new(subject, body);
        let answer = self.named(DEFAULT_NAME).ask(message, Some(timeout_ms)).await;
        Ok(answer.map(Into::into).map_err(|error| error.to_string()))
    }

    async fn publish(&mut self, msg: types::BrokerMessage) -> wasmtime::Result<Result<(), String>> {
        let result = self.named(DEFAULT_NAME).publish(msg.into()).await;
        Ok(result.map_err(|error| error.to_string()))
    }
}
