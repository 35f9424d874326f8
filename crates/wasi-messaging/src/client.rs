//! A guest's client of a broker: validates and budgets messages, and routes answers.

use std::sync::Arc;

use tempo_backend::{ByteBudget, Reservation};

use crate::allowed::Allowed;
use crate::error::no_such_client;
use crate::replies::ReplyTopics;
use crate::{Broker, Error, ErrorKind, MESSAGE_ID, Message, MessagingLimits, Result, check, topic};

/// Memory of a message besides its texts and payload, rounded up, in bytes.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

/// Host memory held for `message`, in bytes.
pub(crate) fn held(message: &Message) -> usize {
    message.size().saturating_add(MESSAGE_OVERHEAD_BYTES)
}

/// Maximum answers per request.
pub(crate) const MAX_REPLIES: usize = 256;

/// The delivery that a component is handling.
#[derive(Clone)]
pub(crate) struct Handled {
    broker: Arc<dyn Broker>,
    reply_to: Option<String>,
    id: Option<String>,
}

impl Handled {
    pub(crate) fn new(broker: Arc<dyn Broker>, message: &Message) -> Self {
        Self { broker, reply_to: message.reply_to.clone(), id: message.header(MESSAGE_ID).map(str::to_owned) }
    }
}

/// The client of one call.
#[derive(Clone)]
pub(crate) struct Client {
    /// `None` if no broker has the name; answers still go to the request's broker.
    pub(crate) broker: Option<Arc<dyn Broker>>,
    /// The topics that it may publish and request on.
    pub(crate) allowed: Allowed,
    pub(crate) handled: Option<Handled>,
    pub(crate) replies: ReplyTopics,
    pub(crate) limits: MessagingLimits,
    pub(crate) bytes: ByteBudget,
}

impl Client {
    /// Reserves memory for a call with `messages`, without waiting: they are in memory already.
    fn call<'a>(&self, messages: impl IntoIterator<Item = &'a Message>) -> Result<Reservation> {
        Ok(self.bytes.try_reserve(messages.into_iter().map(held).fold(0, usize::saturating_add))?)
    }

    fn broker(&self) -> Result<&Arc<dyn Broker>> {
        self.broker.as_ref().ok_or_else(no_such_client)
    }

    /// Returns the broker for answers on `topic`, if it is the reply topic of a received message.
    fn answering(&self, topic: &str) -> Option<Arc<dyn Broker>> {
        let handled = self.handled.as_ref().filter(|handled| handled.reply_to.as_deref() == Some(topic));
        // Other reply topics are ordinary topics.
        let inbox = || topic::is_inbox(topic).then(|| self.replies.broker(topic)).flatten();
        handled.map(|handled| handled.broker.clone()).or_else(inbox)
    }

    /// Checks that the component may send on `topic`, or name it for answers.
    fn permit(&self, what: &str, topic: &str) -> Result<()> {
        if self.answering(topic).is_some() {
            return Ok(());
        }
        let denied = |why: &str| Err(Error::new(ErrorKind::AccessDenied, format!("the {what} is not allowed: {why}")));
        if topic::is_inbox(topic) {
            return denied("an inbox takes answers to messages that came from there, and nothing else");
        }
        if self.allowed.permits(topic) || self.replies.broker(topic).is_some() {
            return Ok(());
        }
        tracing::debug!(topic, "a topic is none of --allow-topic");
        denied("it is none of those that the component was allowed (--allow-topic)")
    }

    /// Validates a `message` and its topic.
    fn check(&self, message: &mut Message) -> Result<()> {
        self.check_content(message)?;
        self.permit("topic", &message.topic)?;
        message.reply_to.as_deref().map_or(Ok(()), |reply_to| self.permit("reply-to", reply_to))
    }

    /// Validates `message`. A forwarded message gets a new id, the same for each attempt: with the id of the delivery
    /// the broker would drop it as a duplicate.
    fn check_content(&self, message: &mut Message) -> Result<()> {
        check::message(&self.limits, message)?;
        let Some(handled) = &self.handled else { return Ok(()) };
        if !self.broker.as_ref().is_some_and(|broker| Arc::ptr_eq(broker, &handled.broker)) {
            return Ok(());
        }
        for (name, value) in &mut message.headers {
            if name == MESSAGE_ID && handled.id.as_ref() == Some(value) {
                *value = format!("{value}.{}", message.topic);
            }
        }
        Ok(())
    }

    /// Publishes a message, or sends it as an answer.
    pub(crate) async fn publish(&self, message: Message) -> Result<()> {
        self.publish_many(vec![message]).await.pop().unwrap_or_else(|| Err(lost()))
    }

    /// Publishes messages in order, then sends the answers among them.
    pub(crate) async fn publish_many(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        let _call = match self.call(&messages) {
            Ok(call) => call,
            Err(error) => return messages.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut published = Vec::with_capacity(messages.len());
        let mut plans = Vec::with_capacity(messages.len());
        for mut message in messages {
            plans.push(match self.check(&mut message) {
                Err(error) => PublishPlan::Refuse(error),
                Ok(()) => match (self.answering(&message.topic), self.broker()) {
                    (Some(broker), _) => PublishPlan::Answer(broker, message),
                    (None, Err(error)) => PublishPlan::Refuse(error),
                    (None, Ok(_)) => {
                        published.push(message);
                        PublishPlan::Publish
                    }
                },
            });
        }
        let mut accepted = match self.broker() {
            Ok(broker) if !published.is_empty() => broker.publish(published).await,
            _ => Vec::new(),
        }
        .into_iter();
        let mut results = Vec::with_capacity(plans.len());
        for plan in plans {
            results.push(match plan {
                PublishPlan::Refuse(error) => Err(error),
                PublishPlan::Publish => accepted.next().unwrap_or_else(|| Err(lost())),
                PublishPlan::Answer(broker, message) => broker.reply(message).await,
            });
        }
        results
    }

    /// Sends an answer on the topic of `message`, the reply topic of a received message.
    pub(crate) async fn reply(&self, mut message: Message) -> Result<()> {
        self.check_content(&mut message)?;
        let _call = self.call([&message])?;
        self.broker()?.reply(message).await
    }

    /// Requests up to `replies` answers to `message` within `timeout` milliseconds; without one, within the host's
    /// limit.
    pub(crate) async fn request(
        &self,
        mut message: Message,
        replies: usize,
        timeout: Option<u32>,
    ) -> Result<Vec<Message>> {
        if !(1..=MAX_REPLIES).contains(&replies) {
            let message = format!("a request has 1 to {MAX_REPLIES} answers");
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        self.check(&mut message)?;
        let mut call = self.call([&message])?;
        let broker = self.broker()?;
        let answers = broker.request(message, replies, self.limits.wait(timeout)).await?;
        let bytes = answers.iter().map(Message::size).fold(0, usize::saturating_add);
        if bytes > self.limits.answer {
            let message = format!("the answer is larger than {} bytes", self.limits.answer);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        call.try_grow(bytes)?;
        self.replies.remember(&answers, broker);
        Ok(answers)
    }

    /// Requests one answer to `message`.
    pub(crate) async fn ask(&self, message: Message, timeout: Option<u32>) -> Result<Message> {
        let mut answers = self.request(message, 1, timeout).await?;
        answers.pop().ok_or_else(|| Error::new(ErrorKind::Timeout, "no answer came in time"))
    }
}

/// How to process one message of a batch.
enum PublishPlan {
    Refuse(Error),
    Publish,
    Answer(Arc<dyn Broker>, Message),
}

/// The error if the broker returned no result for a message.
fn lost() -> Error {
    Error::new(ErrorKind::Other, "the broker returned no result for the message")
}

#[cfg(test)]
mod tests;
