//! A broker on core NATS: messages reach current subscribers only.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::client::{Request, RequestErrorKind};
use async_trait::async_trait;
use tempo_messaging::{Broker, Consumer, Message, Result, Subscription};
use tokio::time::timeout_at;

use super::inbox::{self, CoreRequest, Inbox};
use super::queue::Queue;
use super::{error, wire};
use crate::connection::Connection;
use crate::error::NatsError;

pub(super) struct CoreBroker {
    connection: Connection,
    inbox: Inbox,
}

impl CoreBroker {
    pub(super) async fn open(connection: Connection) -> tempo_settings::Result<Self> {
        let inbox = Inbox::open(&connection).await?;
        Ok(Self { connection, inbox })
    }
}

#[async_trait]
impl Broker for CoreBroker {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        if let Err(lost) = self.connection.ready().await {
            return messages.iter().map(|_| Err(error::lost(lost))).collect();
        }
        let mut losses = self.connection.losses();
        let sending = async {
            let mut results = Vec::with_capacity(messages.len());
            for message in &messages {
                results.push(publish(&self.connection, message).await);
            }
            let arrived = barrier(&self.connection).await;
            if let Err(error) = arrived {
                results.iter_mut().filter(|result| result.is_ok()).for_each(|result| *result = Err(error.clone()));
            }
            results
        };
        tokio::select! {
            biased;
            results = sending => results,
            _ = losses.changed() => messages.iter().map(|_| Err(NatsError::ConnectionLost.into())).collect(),
        }
    }

    async fn reply(&self, answer: Message) -> Result<()> {
        reply(&self.connection, &answer).await
    }

    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> Result<Vec<Message>> {
        request(&self.connection, &self.inbox, &message, replies, timeout, false).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        Ok(Box::new(Queue::join(&self.connection, subscription).await?))
    }
}

/// Publishes a message.
async fn publish(connection: &Connection, message: &Message) -> Result<()> {
    send(connection, message, wire::headers(message)?, message.reply_to.as_deref()).await
}

/// Publishes a message with these headers.
async fn send(connection: &Connection, message: &Message, headers: HeaderMap, reply_to: Option<&str>) -> Result<()> {
    let subject = wire::subject(&message.topic)?;
    // Validated as well: an answer to a `$` subject would be a command to the server.
    let reply = reply_to.map(wire::subject);
    let (client, payload) = (connection.client(), message.payload.clone());
    let sent = match (reply.transpose()?, headers.is_empty()) {
        (Some(reply), true) => client.publish_with_reply(subject, reply, payload).await,
        (Some(reply), false) => client.publish_with_reply_and_headers(subject, reply, headers, payload).await,
        (None, true) => client.publish(subject, payload).await,
        (None, false) => client.publish_with_headers(subject, headers, payload).await,
    };
    sent.map_err(|error| NatsError::from(error).into())
}

/// Returns once the server has processed all earlier publishes: the server answers a request without responders in
/// order.
pub(super) async fn barrier(connection: &Connection) -> Result<()> {
    let question = connection.client().send_request(connection.client().new_inbox(), Request::new());
    match connection.request(question).await.map_err(error::lost)? {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        Err(error) => Err(NatsError::from(error).into()),
    }
}

/// Publishes an answer on core NATS.
pub(super) async fn reply(connection: &Connection, answer: &Message) -> Result<()> {
    let sending = async {
        publish(connection, answer).await?;
        connection.client().flush().await.map_err(|error| NatsError::other(&error).into())
    };
    connection.request(sending).await.map_err(error::lost)?
}

/// Publishes a request and collects the answers. `kept`: a stream of Tempo may store the request after all; its handler
/// then finds the reply subject in a header.
pub(super) async fn request(
    connection: &Connection,
    inbox: &Inbox,
    message: &Message,
    replies: usize,
    timeout: Duration,
    kept: bool,
) -> Result<Vec<Message>> {
    let deadline = inbox::deadline(timeout);
    timeout_at(deadline, connection.ready()).await.map_err(|_| NatsError::Timeout)?.map_err(error::lost)?;
    let pending = inbox.pending_reply();
    let mut headers = wire::headers(message)?;
    if kept {
        wire::set_reply_to(&mut headers, &pending.topic)?;
    }
    send(connection, message, headers, Some(&pending.topic)).await?;
    pending.collect(replies, deadline, Some(CoreRequest { connection, topic: &message.topic })).await
}
