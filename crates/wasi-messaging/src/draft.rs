//! `wasi:messaging@0.2.0-draft`: imports, and the message of its handler.

mod message;

use std::sync::Arc;

use wasmtime::component::Resource;

#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub use self::message::OwnMessage;
use crate::allowed::{Allowed, AllowedTopics};
use crate::bindings::draft::wasi::messaging::{producer, request_reply, types};
use crate::error::{TrappableError, no_such_client};
use crate::{Broker, Error, ErrorKind, Message, MessagingView};

/// A component's connection to a client.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    /// `None` after `disconnect`.
    broker: Option<(Arc<dyn Broker>, Allowed)>,
}

/// Timeout and number of answers of a request.
#[derive(Clone, Copy, Default)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct RequestOptions {
    timeout_ms: Option<u32>,
    replies: Option<u32>,
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Timeout => Self::Timeout,
            ErrorKind::Unavailable | ErrorKind::NoSuchClient => Self::Connection(error.to_string()),
            ErrorKind::AccessDenied => Self::PermissionDenied(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl MessagingView<'_> {
    /// Creates a handle to the received `message`, which the component can answer.
    pub(crate) fn receive(
        &mut self,
        message: Message,
        origin: Option<Arc<dyn Broker>>,
    ) -> Result<Resource<OwnMessage>, TrappableError> {
        let message = OwnMessage::received(message, origin, self.state.bytes())?;
        Ok(self.table.push(message)?)
    }

    /// Takes a message from the guest.
    fn take(&mut self, handle: Resource<OwnMessage>) -> Result<Message, TrappableError> {
        Ok(self.table.delete(handle)?.into_sendable()?)
    }

    /// Returns the broker of a connection, and the allowed topics.
    fn connected(&self, handle: &Resource<Connection>) -> Result<(Arc<dyn Broker>, Allowed), TrappableError> {
        let broker = self.table.get(handle)?.broker.clone();
        Ok(broker.ok_or_else(|| Error::new(ErrorKind::Unavailable, "the client is disconnected"))?)
    }
}

impl types::Host for MessagingView<'_> {
    fn convert_error(&mut self, failure: TrappableError) -> wasmtime::Result<types::Error> {
        failure.into_error().map(Into::into)
    }
}

impl types::HostClient for MessagingView<'_> {
    async fn connect(&mut self, name: String) -> Result<Resource<Connection>, TrappableError> {
        let (broker, allowed) = self.broker(&name);
        let broker = broker.ok_or_else(no_such_client)?;
        Ok(self.table.push(Connection { broker: Some((broker, allowed)) })?)
    }

    async fn disconnect(&mut self, handle: Resource<Connection>) -> Result<(), TrappableError> {
        self.table.get_mut(&handle)?.broker = None;
        Ok(())
    }

    async fn drop(&mut self, handle: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl producer::Host for MessagingView<'_> {
    async fn send(
        &mut self,
        client: Resource<Connection>,
        topic: String,
        message: Resource<OwnMessage>,
    ) -> Result<(), TrappableError> {
        let message = self.take(message)?.with_topic(topic).with_reply_to(None);
        let (broker, allowed) = self.connected(&client)?;
        Ok(self.client(Some(broker), allowed).publish(message).await?)
    }
}

impl request_reply::Host for MessagingView<'_> {
    async fn request(
        &mut self,
        client: Resource<Connection>,
        topic: String,
        message: Resource<OwnMessage>,
        options: Option<Resource<RequestOptions>>,
    ) -> Result<Vec<Resource<OwnMessage>>, TrappableError> {
        let options = options.map(|options| self.table.delete(options)).transpose()?.unwrap_or_default();
        let message = self.table.get(&message)?.sendable()?.clone().with_topic(topic).with_reply_to(None);
        let (broker, allowed) = self.connected(&client)?;
        let replies = options.replies.map_or(1, |replies| usize::try_from(replies).unwrap_or(usize::MAX));
        let client = self.client(Some(broker.clone()), allowed);
        let answers = client.request(message, replies, options.timeout_ms).await?;
        let bytes = self.state.bytes();
        let answers = answers.into_iter().map(|answer| OwnMessage::received(answer, Some(broker.clone()), bytes));
        // Reserve for all first, so that an error leaves no handles.
        let answers = answers.collect::<crate::Result<Vec<_>>>()?;
        answers.into_iter().map(|answer| Ok(self.table.push(answer)?)).collect()
    }

    async fn reply(
        &mut self,
        reply_to: Resource<OwnMessage>,
        message: Resource<OwnMessage>,
    ) -> Result<(), TrappableError> {
        let answer = self.take(message)?;
        let request = self.table.get(&reply_to)?;
        let (topic, broker) = (request.message().reply_to.clone(), request.origin());
        // Without a reply topic there is nothing to do.
        let Some(topic) = topic else { return Ok(()) };
        // Allowed topics do not restrict answers.
        let client = self.client(broker, AllowedTopics::default().of(""));
        Ok(client.reply(answer.with_topic(topic).with_reply_to(None)).await?)
    }
}

impl request_reply::HostRequestOptions for MessagingView<'_> {
    async fn new(&mut self) -> wasmtime::Result<Resource<RequestOptions>> {
        Ok(self.table.push(RequestOptions::default())?)
    }

    async fn set_timeout_ms(&mut self, handle: Resource<RequestOptions>, timeout_ms: u32) -> wasmtime::Result<()> {
        self.table.get_mut(&handle)?.timeout_ms = Some(timeout_ms);
        Ok(())
    }

    async fn set_expected_replies(
        &mut self,
        handle: Resource<RequestOptions>,
        expected_replies: u32,
    ) -> wasmtime::Result<()> {
        self.table.get_mut(&handle)?.replies = Some(expected_replies);
        Ok(())
    }

    async fn drop(&mut self, handle: Resource<RequestOptions>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
