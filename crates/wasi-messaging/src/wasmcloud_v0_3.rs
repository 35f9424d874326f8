//! `wasmcloud:messaging@0.3.0`: imports and handler types. It has one client, the default unless it is imported under a label, and
//! bodies are streams.

use tempo_settings::DEFAULT_NAME;
use wasmtime::AsContextMut;
use wasmtime::component::{Accessor, StreamReader};

use crate::bindings::wasmcloud_v0_3::wasmcloud::messaging::{consumer, types};
use crate::body::Body;
use crate::client::Client;
use crate::error::TrappableError;
use crate::{Error, ErrorKind, Message, MessagingView, WasiMessaging};

/// Converts a message for the guest, with its body as a stream.
pub(crate) fn message(
    mut store: impl AsContextMut,
    Message { topic, reply_to, payload, .. }: Message,
) -> wasmtime::Result<types::BrokerMessage> {
    let body = StreamReader::new(&mut store, payload)?;
    Ok(types::BrokerMessage { subject: topic, body, reply_to })
}

/// Returns the client `client`, and the body in progress; `texts` bytes are reserved besides.
fn begin<T>(
    accessor: &Accessor<T, WasiMessaging>,
    client: &str,
    mut body: StreamReader<u8>,
    texts: usize,
) -> Result<(Client, Body), TrappableError> {
    accessor.with(|mut access| {
        let client = access.get().named(client);
        let reserved = match client.bytes.hold(texts) {
            Ok(reserved) => reserved,
            Err(over) => {
                body.close(&mut access)?;
                return Err(Error::from(over).into());
            }
        };
        let body = Body::start(&mut access, body, client.limits, reserved)?;
        Ok((client, body))
    })
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error.kind() {
            // Other fields of this package cannot be invalid.
            ErrorKind::InvalidArgument => Self::SubjectInvalid,
            ErrorKind::AccessDenied => Self::AccessDenied,
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Unavailable => Self::BrokerUnavailable,
            ErrorKind::TooLarge => Self::MessageTooLarge,
            ErrorKind::QuotaExceeded => Self::QuotaExceeded,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl types::Host for MessagingView<'_> {
    fn convert_error(&mut self, failure: TrappableError) -> wasmtime::Result<types::Error> {
        failure.into_error().map(Into::into)
    }
}

impl consumer::Host for MessagingView<'_> {}

/// Requests an answer by the client `client`.
pub(crate) async fn request<T: Send>(
    accessor: &Accessor<T, WasiMessaging>,
    client: &str,
    subject: String,
    body: StreamReader<u8>,
    timeout_ms: Option<u32>,
) -> Result<types::BrokerMessage, TrappableError> {
    let (client, body) = begin(accessor, client, body, subject.len())?;
    let message = Message::new(subject, body.collect().await?);
    let answer = client.ask(message, timeout_ms).await?;
    Ok(accessor.with(|access| self::message(access, answer))?)
}

/// Publishes a message by the client `client`.
pub(crate) async fn publish<T: Send>(
    accessor: &Accessor<T, WasiMessaging>,
    client: &str,
    message: types::BrokerMessage,
) -> Result<(), TrappableError> {
    let types::BrokerMessage { subject, body, reply_to } = message;
    let texts = subject.len().saturating_add(reply_to.as_ref().map_or(0, String::len));
    let (client, body) = begin(accessor, client, body, texts)?;
    let payload = body.collect().await?;
    Ok(client.publish(Message::new(subject, payload).with_reply_to(reply_to)).await?)
}

impl<T: Send> consumer::HostWithStore<T> for WasiMessaging {
    async fn request(
        accessor: &Accessor<T, Self>,
        subject: String,
        body: StreamReader<u8>,
        timeout_ms: Option<u32>,
    ) -> Result<types::BrokerMessage, TrappableError> {
        request(accessor, DEFAULT_NAME, subject, body, timeout_ms).await
    }

    async fn publish(accessor: &Accessor<T, Self>, msg: types::BrokerMessage) -> Result<(), TrappableError> {
        publish(accessor, DEFAULT_NAME, msg).await
    }
}

#[cfg(test)]
mod tests;
