//! A broker on a stream of JetStream.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tempo_messaging::{Broker, Consumer, Message, Operator, Result, Subscription};
use tokio::time::timeout_at;

use super::consumer::StreamConsumer;
use super::inbox::{self, Inbox};
use super::letters::DeadLetterStream;
use super::publish::{self, Outgoing};
use super::stream::{NamedStream, SUBJECTS_TTL};
use super::{core, error, wire};
use crate::address::Address;
use crate::connection::Connection;
use crate::error::NatsError;

pub(super) struct JetStreamBroker {
    connection: Connection,
    pub(super) stream: Arc<NamedStream>,
    inbox: Inbox,
    server: String,
    letters: Arc<DeadLetterStream>,
    /// The dead-letter stream that a subscription names.
    chosen: OnceLock<Arc<DeadLetterStream>>,
}

impl JetStreamBroker {
    /// Looks the stream up, or creates it if `subjects` is not empty.
    pub(super) async fn open(
        connection: Connection,
        address: &Address,
        subjects: Vec<String>,
    ) -> tempo_settings::Result<Self> {
        let (name, server) = (address.name.clone(), address.server());
        let stream = NamedStream::new(connection.clone(), name.clone(), address.to_string());
        let found = stream.find().await?;
        if found.is_none() && !subjects.is_empty() {
            stream.with(&subjects, 1).await?;
        }
        let inbox = Inbox::open(&connection).await?;
        let letters = Arc::new(DeadLetterStream::new(connection.clone(), &server, &name, None));
        Ok(Self { connection, stream: Arc::new(stream), inbox, server, letters, chosen: OnceLock::new() })
    }

    /// The dead-letter stream for operators.
    pub(super) fn letters(&self) -> &DeadLetterStream {
        self.chosen.get().unwrap_or(&self.letters)
    }

    /// Prepares a message for the stream.
    async fn outgoing(&self, message: Message, reply_to: Option<&str>) -> Result<Outgoing> {
        let subject = wire::subject(&message.topic)?;
        let mut headers = wire::headers(&message)?;
        if let Some(reply_to) = reply_to {
            wire::set_reply_to(&mut headers, reply_to)?;
        }
        // Else another subscriber would receive it, and no publish ack would arrive.
        if !self.stream.takes(&message.topic, Duration::ZERO).await? {
            tracing::debug!(stream = self.stream.name, topic = message.topic, "the stream does not take this topic");
            return Err(error::no_stream());
        }
        Ok(Outgoing::new(&self.stream.name, subject, headers, message.payload))
    }
}

#[async_trait]
impl Broker for JetStreamBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        let mut outgoing = Vec::with_capacity(messages.len());
        let mut results = Vec::with_capacity(messages.len());
        for message in messages {
            let reply_to = message.reply_to.clone();
            let prepared = self.outgoing(message, reply_to.as_deref()).await;
            results.push(prepared.map(|message| outgoing.push(message)));
        }
        let mut acknowledged = publish::all(&self.connection, outgoing).await.into_iter();
        let mut ack = || acknowledged.next().map_or(Ok(()), |stored| stored.map(drop));
        results.into_iter().map(|result| result.and_then(|()| ack())).collect()
    }

    async fn reply(&self, answer: Message) -> Result<()> {
        core::reply(&self.connection, &answer).await
    }

    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>> {
        let deadline = inbox::deadline(timeout);
        if !self.stream.takes(&message.topic, SUBJECTS_TTL).await? {
            return core::request(&self.connection, &self.inbox, &message, replies, timeout, true).await;
        }
        let pending = self.inbox.pending_reply();
        let question = self.outgoing(message, Some(&pending.topic)).await?;
        timeout_at(deadline, publish::one(&self.connection, question)).await.map_err(|_| NatsError::Timeout)??;
        pending.collect(replies, deadline, None).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        let letters = match &subscription.dead_letter {
            Some(name) => {
                let letters =
                    DeadLetterStream::new(self.connection.clone(), &self.server, &self.stream.name, Some(name));
                let letters = Arc::new(letters);
                self.chosen.get_or_init(|| Arc::clone(&letters));
                letters
            }
            None => Arc::clone(&self.letters),
        };
        Ok(Box::new(StreamConsumer::join(Arc::clone(&self.stream), letters, subscription).await?))
    }

    fn operator(&self) -> Option<&dyn Operator> {
        Some(self)
    }
}
