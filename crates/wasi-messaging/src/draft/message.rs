//! A message resource: received, or built by the component.

use std::sync::Arc;

use tempo_backend::{ByteBudget, Reservation};
use wasmtime::component::Resource;

use crate::bindings::draft::wasi::messaging::types;
use crate::client::held;
use crate::{Broker, Error, Message, MessagingView, Result, check};

/// A message with its reservation. Validated when sent.
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct OwnMessage {
    message: Message,
    /// The broker of a received message.
    origin: Option<Arc<dyn Broker>>,
    reserved: Reservation,
    /// Set if the message outgrew the budget. The interface has no error for that, so sending fails instead.
    refused: Option<Error>,
}

impl OwnMessage {
    /// Wraps a received message, without headers that a component may not send: they belong to the server.
    pub(super) fn received(mut message: Message, origin: Option<Arc<dyn Broker>>, bytes: &ByteBudget) -> Result<Self> {
        message.headers.retain(|(name, value)| check::header(name, value).is_ok());
        Ok(Self { reserved: bytes.hold(held(&message))?, message, origin, refused: None })
    }

    fn made(data: Vec<u8>, bytes: &ByteBudget) -> Self {
        let mut own = Self { reserved: bytes.empty(), message: Message::default(), origin: None, refused: None };
        own.change(|message| message.payload = data.into());
        own
    }

    /// Changes the message. If it outgrows the budget, it is emptied and cannot be sent.
    fn change(&mut self, change: impl FnOnce(&mut Message)) {
        if self.refused.is_some() {
            return;
        }
        change(&mut self.message);
        if let Err(over) = self.reserved.try_resize(held(&self.message)) {
            self.message = Message::default();
            self.reserved.shrink(usize::MAX);
            self.refused = Some(over.into());
        }
    }

    /// Returns the message for sending.
    ///
    /// # Errors
    ///
    /// The message has outgrown the budget.
    pub(super) fn sendable(&self) -> Result<&Message> {
        match &self.refused {
            Some(error) => Err(error.clone()),
            None => Ok(&self.message),
        }
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    /// Like [`sendable`](Self::sendable), consuming the handle.
    pub(super) fn into_sendable(self) -> Result<Message> {
        match self.refused {
            Some(error) => Err(error),
            None => Ok(self.message),
        }
    }

    pub(super) fn origin(&self) -> Option<Arc<dyn Broker>> {
        self.origin.clone()
    }
}

impl MessagingView<'_> {
    fn message(&self, handle: &Resource<OwnMessage>) -> wasmtime::Result<&Message> {
        Ok(&self.table.get(handle)?.message)
    }

    fn change(&mut self, handle: &Resource<OwnMessage>, change: impl FnOnce(&mut Message)) -> wasmtime::Result<()> {
        let most = self.state.limits().headers.saturating_add(1);
        self.table.get_mut(handle)?.change(|message| {
            change(message);
            // One above the limit suffices for the refusal.
            message.headers.truncate(most);
        });
        Ok(())
    }
}

impl types::HostMessage for MessagingView<'_> {
    async fn new(&mut self, data: Vec<u8>) -> wasmtime::Result<Resource<OwnMessage>> {
        Ok(self.table.push(OwnMessage::made(data, self.state.bytes()))?)
    }

    async fn topic(&mut self, this: Resource<OwnMessage>) -> wasmtime::Result<Option<String>> {
        let topic = &self.message(&this)?.topic;
        Ok((!topic.is_empty()).then(|| topic.clone()))
    }

    async fn content_type(&mut self, this: Resource<OwnMessage>) -> wasmtime::Result<Option<String>> {
        Ok(self.message(&this)?.content_type.clone())
    }

    async fn set_content_type(&mut self, this: Resource<OwnMessage>, content_type: String) -> wasmtime::Result<()> {
        self.change(&this, |message| message.content_type = Some(content_type))
    }

    async fn data(&mut self, this: Resource<OwnMessage>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.message(&this)?.payload.to_vec())
    }

    async fn set_data(&mut self, this: Resource<OwnMessage>, data: Vec<u8>) -> wasmtime::Result<()> {
        self.change(&this, |message| message.payload = data.into())
    }

    async fn metadata(&mut self, this: Resource<OwnMessage>) -> wasmtime::Result<Option<types::Metadata>> {
        let headers = &self.message(&this)?.headers;
        Ok((!headers.is_empty()).then(|| headers.clone()))
    }

    async fn add_metadata(&mut self, this: Resource<OwnMessage>, key: String, value: String) -> wasmtime::Result<()> {
        self.change(&this, |message| {
            message.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&key));
            message.headers.push((key, value));
        })
    }

    async fn set_metadata(&mut self, this: Resource<OwnMessage>, meta: types::Metadata) -> wasmtime::Result<()> {
        self.change(&this, |message| message.headers = meta)
    }

    async fn remove_metadata(&mut self, this: Resource<OwnMessage>, key: String) -> wasmtime::Result<()> {
        self.change(&this, |message| message.headers.retain(|(name, _)| !name.eq_ignore_ascii_case(&key)))
    }

    async fn drop(&mut self, this: Resource<OwnMessage>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
