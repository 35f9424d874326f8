//! What tells the server what became of a delivery: each word is itself acknowledged, and said again if the connection
//! was lost before that.

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::jetstream::{AckKind, Message as JetStreamMessage};
use async_trait::async_trait;
use bytes::Bytes;
use tempo_messaging::{Error, ErrorKind, Receipt, Result};
use tokio::time::{Instant, sleep};

use super::failure;
use super::letters::Letters;
use crate::connection::{Connection, REQUEST};
use crate::failure::Failure;

/// How long to wait before a word is said again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a consumer may be away that the server does not know, as after a change of leaders.
const AWAY: Duration = Duration::from_secs(5);

/// What all receipts of a consumer share.
pub(super) struct Desk {
    pub(super) connection: Connection,
    pub(super) letters: Arc<Letters>,
    /// After so long without a word the message is delivered again, and then words about this delivery are idle.
    pub(super) ack_wait: Duration,
}

pub(super) struct StreamReceipt {
    pub(super) desk: Arc<Desk>,
    pub(super) message: JetStreamMessage,
    /// How many headers the message had, if it had too many and they were left out.
    pub(super) omitted_headers: Option<usize>,
}

impl StreamReceipt {
    /// Says it until it was heard.
    async fn tell(&self, kind: AckKind) -> Result<()> {
        let word = Bytes::from(kind);
        let start = Instant::now();
        loop {
            let Err((error, patience)) = self.say(word.clone()).await else { return Ok(()) };
            if start.elapsed() >= patience {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
    }

    /// Says it once. An error comes with how long it is worth another try.
    async fn say(&self, word: Bytes) -> std::result::Result<(), (Error, Duration)> {
        let Some(reply) = self.message.reply.clone() else {
            return Err((Failure::Other.into(), Duration::ZERO));
        };
        let request = Request::new().payload(word).timeout(Some(REQUEST));
        let ack_wait = self.desk.ack_wait;
        match self.desk.connection.ask(self.desk.connection.client().send_request(reply, request)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                let error = Error::new(ErrorKind::Unavailable, "the server does not know the consumer");
                Err((error, AWAY.min(ack_wait)))
            }
            Ok(Err(error)) => Err((Failure::from(error).into(), ack_wait)),
            Err(lost) => Err((failure::lost(lost), ack_wait)),
        }
    }
}

#[async_trait]
impl Receipt for StreamReceipt {
    async fn ack(self: Box<Self>) -> Result<()> {
        self.tell(AckKind::Ack).await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<()> {
        // With a delay, even of nothing, the server waits for its next round.
        self.tell(AckKind::Nak((!delay.is_zero()).then_some(delay))).await
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        let info = self.message.info().map_err(|error| Failure::other(&*error))?;
        self.desk.letters.keep(&self.message, &info, reason, self.omitted_headers).await?;
        self.tell(AckKind::Term).await
    }

    async fn extend(&self) -> Result<()> {
        self.say(Bytes::from(AckKind::Progress)).await.map_err(|(error, _)| error)
    }
}
