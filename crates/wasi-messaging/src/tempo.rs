//! `tempo:messaging@0.1.0`: imports and handler types.

use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::Accessor;

use crate::bindings::tempo::exports::tempo::messaging::handler;
use crate::bindings::tempo::tempo::messaging::{producer, types};
use crate::error::TrappableError;
use crate::{Error, ErrorKind, Message, MessagingView, WasiMessaging};

/// Converts a delivery for the handler.
pub(crate) fn delivery(
    message: Message,
    attempt: u32,
    timestamp: SystemTime,
    sequence: Option<u64>,
) -> handler::Delivery {
    let since = timestamp.duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    handler::Delivery { message: message.into(), attempt, timestamp, sequence }
}

impl From<Message> for types::Message {
    fn from(Message { topic, key, content_type, headers, reply_to, payload, .. }: Message) -> Self {
        Self { topic, key, content_type, headers, reply_to, payload: payload.into() }
    }
}

impl From<types::Message> for Message {
    fn from(message: types::Message) -> Self {
        let types::Message { topic, key, content_type, headers, reply_to, payload } = message;
        let message = Self::new(topic, payload).with_key(key).with_content_type(content_type);
        message.with_headers(headers).with_reply_to(reply_to)
    }
}

impl From<ErrorKind> for types::ErrorKind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NoSuchClient => Self::NoSuchClient,
            ErrorKind::InvalidArgument => Self::InvalidArgument,
            ErrorKind::TooLarge => Self::TooLarge,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::NoResponders => Self::NoResponders,
            ErrorKind::Unavailable => Self::Unavailable,
            ErrorKind::QuotaExceeded => Self::QuotaExceeded,
            ErrorKind::AccessDenied => Self::AccessDenied,
            _ => Self::Other,
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        Self { kind: error.kind().into(), message: error.to_string() }
    }
}

impl types::Host for MessagingView<'_> {
    fn convert_error(&mut self, failure: TrappableError) -> wasmtime::Result<types::Error> {
        failure.into_error().map(Into::into)
    }
}

impl producer::Host for MessagingView<'_> {}

impl<T: Send> producer::HostWithStore<T> for WasiMessaging {
    async fn publish(
        accessor: &Accessor<T, Self>,
        client: String,
        message: types::Message,
    ) -> Result<(), TrappableError> {
        let client = accessor.with(|mut access| access.get().named(&client));
        Ok(client.publish(message.into()).await?)
    }

    async fn publish_many(
        accessor: &Accessor<T, Self>,
        client: String,
        messages: Vec<types::Message>,
    ) -> wasmtime::Result<Vec<Result<(), types::Error>>> {
        let client = accessor.with(|mut access| access.get().named(&client));
        let results = client.publish_many(messages.into_iter().map(Into::into).collect()).await;
        Ok(results.into_iter().map(|result| result.map_err(Into::into)).collect())
    }

    async fn request(
        accessor: &Accessor<T, Self>,
        client: String,
        message: types::Message,
        timeout: u32,
    ) -> Result<types::Message, TrappableError> {
        let client = accessor.with(|mut access| access.get().named(&client));
        Ok(client.ask(message.into(), Some(timeout)).await?.into())
    }
}

#[cfg(test)]
mod tests;
