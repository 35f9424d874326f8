//! A message that a component holds: one that came, or one that it makes piece by piece.

use std::sync::Arc;

use wasmtime::component::Resource;

use crate::bindings::draft::wasi::messaging::types;
use crate::budget::{Budget, Share};
use crate::{Broker, Message, MessagingView, Result, check};

/// A message with its share of what the component may hold. It is checked when it is sent.
pub struct OwnMessage {
    message: Message,
    /// Where it came from, if it did.
    origin: Option<Arc<dyn Broker>>,
    share: Share,
}

impl OwnMessage {
    /// A message that came. Headers that its handler could not send on are a server's, and not for it to see.
    pub(super) fn received(mut message: Message, origin: Option<Arc<dyn Broker>>, held: &Arc<Budget>) -> Result<Self> {
        message.headers.retain(|(name, value)| check::header(name, value).is_ok());
        Ok(Self { share: held.hold([&message])?, message, origin })
    }

    fn made(data: Vec<u8>, held: &Arc<Budget>) -> Result<Self> {
        let message = Message { payload: data.into(), ..Message::default() };
        Ok(Self { share: held.hold([&message])?, message, origin: None })
    }

    pub(super) fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn into_message(self) -> Message {
        self.message
    }

    pub(super) fn origin(&self) -> Option<Arc<dyn Broker>> {
        self.origin.clone()
    }
}

impl MessagingView<'_> {
    fn message(&self, handle: &Resource<OwnMessage>) -> wasmtime::Result<&Message> {
        Ok(&self.table.get(handle)?.message)
    }

    /// Changes a message. The interface has no error for one that grows too large, so that is a trap.
    fn change(&mut self, handle: &Resource<OwnMessage>, change: impl FnOnce(&mut Message)) -> wasmtime::Result<()> {
        let most = self.state.limits().headers.saturating_add(1);
        let own = self.table.get_mut(handle)?;
        let before = own.message.size();
        change(&mut own.message);
        // One more than it may have is enough to be refused when it is sent.
        own.message.headers.truncate(most);
        own.share.resize(before, own.message.size())?;
        Ok(())
    }
}

impl types::HostMessage for MessagingView<'_> {
    async fn new(&mut self, data: Vec<u8>) -> wasmtime::Result<Resource<OwnMessage>> {
        Ok(self.table.push(OwnMessage::made(data, self.state.held())?)?)
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
