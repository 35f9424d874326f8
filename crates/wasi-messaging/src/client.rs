//! A broker as a guest sees it: what the guest sends is checked, counted, and told apart from answers.

use std::sync::Arc;

use tempo_backend::{ByteBudget, Reservation};

use crate::allowed::Allowed;
use crate::failure::no_such_client;
use crate::replies::ReplyTopics;
use crate::{Broker, Error, ErrorKind, MESSAGE_ID, Message, MessagingLimits, Result, check, topic};

/// What a message takes besides its texts and its payload, rounded up, in bytes.
const ELEMENT: usize = 256;

/// What the host holds for `message`, in bytes.
pub(crate) fn held(message: &Message) -> usize {
    message.size().saturating_add(ELEMENT)
}

/// The most answers that a guest may wait for at once.
pub(crate) const MOST_REPLIES: usize = 256;

/// What the host remembers of the delivery that a component is handling.
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
    /// `None` where nothing is configured under the name: answers go where the request came from all the same.
    pub(crate) broker: Option<Arc<dyn Broker>>,
    /// What it may publish and request on by itself.
    pub(crate) allowed: Allowed,
    pub(crate) handled: Option<Handled>,
    pub(crate) replies: ReplyTopics,
    pub(crate) limits: MessagingLimits,
    pub(crate) bytes: ByteBudget,
}

impl Client {
    /// Reserves what a call with `messages` holds. They are in memory already, so it does not wait for others.
    fn call<'a>(&self, messages: impl IntoIterator<Item = &'a Message>) -> Result<Reservation> {
        Ok(self.bytes.try_reserve(messages.into_iter().map(held).fold(0, usize::saturating_add))?)
    }

    fn broker(&self) -> Result<&Arc<dyn Broker>> {
        self.broker.as_ref().ok_or_else(no_such_client)
    }

    /// Who takes answers on `topic`, if it is the reply topic of a message that the component was given.
    fn answering(&self, topic: &str) -> Option<Arc<dyn Broker>> {
        let handled = self.handled.as_ref().filter(|handled| handled.reply_to.as_deref() == Some(topic));
        // Other reply topics of answers to requests are topics as any other.
        let inbox = || topic::is_inbox(topic).then(|| self.replies.broker(topic)).flatten();
        handled.map(|handled| handled.broker.clone()).or_else(inbox)
    }

    /// Whether the component may send on `topic`, or have others send there.
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

    /// Checks a `message` that the component sends where it wants.
    fn check(&self, message: &mut Message) -> Result<()> {
        self.check_content(message)?;
        self.permit("topic", &message.topic)?;
        message.reply_to.as_deref().map_or(Ok(()), |reply_to| self.permit("reply-to", reply_to))
    }

    /// Checks `message`. One that is passed on gets an id of its own: by that of the delivery it would count as published
    /// already, and be dropped. It is the same one when the delivery is handled again.
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

    /// Publishes a message, or answers with it.
    pub(crate) async fn publish(&self, message: Message) -> Result<()> {
        self.publish_many(vec![message]).await.pop().unwrap_or_else(|| Err(lost()))
    }

    /// Publishes messages in their order, and then sends the answers that are among them.
    pub(crate) async fn publish_many(&self, messages: Vec<Message>) -> Vec<Result<()>> {
        let _call = match self.call(&messages) {
            Ok(call) => call,
            Err(error) => return messages.iter().map(|_| Err(error.clone())).collect(),
        };
        let mut published = Vec::with_capacity(messages.len());
        let mut fates = Vec::with_capacity(messages.len());
        for mut message in messages {
            fates.push(match self.check(&mut message) {
                Err(error) => Fate::Refused(error),
                Ok(()) => match (self.answering(&message.topic), self.broker()) {
                    (Some(broker), _) => Fate::Answer(broker, message),
                    (None, Err(error)) => Fate::Refused(error),
                    (None, Ok(_)) => {
                        published.push(message);
                        Fate::Published
                    }
                },
            });
        }
        let mut accepted = match self.broker() {
            Ok(broker) if !published.is_empty() => broker.publish(published).await,
            _ => Vec::new(),
        }
        .into_iter();
        let mut results = Vec::with_capacity(fates.len());
        for fate in fates {
            results.push(match fate {
                Fate::Refused(error) => Err(error),
                Fate::Published => accepted.next().unwrap_or_else(|| Err(lost())),
                Fate::Answer(broker, message) => broker.reply(message).await,
            });
        }
        results
    }

    /// Answers on the topic of `message`, which is the reply topic of a message that the component was given.
    pub(crate) async fn reply(&self, mut message: Message) -> Result<()> {
        self.check_content(&mut message)?;
        let _call = self.call([&message])?;
        self.broker()?.reply(message).await
    }

    /// Waits for `replies` answers to `message`, for `timeout` milliseconds at most. Without, as long as the host allows.
    pub(crate) async fn request(
        &self,
        mut message: Message,
        replies: usize,
        timeout: Option<u32>,
    ) -> Result<Vec<Message>> {
        if !(1..=MOST_REPLIES).contains(&replies) {
            let message = format!("a request has 1 to {MOST_REPLIES} answers");
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

    /// Waits for the first answer to `message`.
    pub(crate) async fn ask(&self, message: Message, timeout: Option<u32>) -> Result<Message> {
        let mut answers = self.request(message, 1, timeout).await?;
        answers.pop().ok_or_else(|| Error::new(ErrorKind::Timeout, "no answer came in time"))
    }
}

/// What becomes of a message.
enum Fate {
    Refused(Error),
    Published,
    Answer(Arc<dyn Broker>, Message),
}

/// The error for a message of which the broker says nothing.
fn lost() -> Error {
    Error::new(ErrorKind::Other, "the broker did not say what became of the message")
}

#[cfg(test)]
mod tests;
