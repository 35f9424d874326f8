//! Receipts of JetStream deliveries. The server confirms each ack; an ack that was lost with the connection is sent
//! again.

use std::sync::Arc;
use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::jetstream::{AckKind, Message as JetStreamMessage};
use async_trait::async_trait;
use bytes::Bytes;
use tempo_messaging::{Error, ErrorKind, Receipt, Result};
use tokio::time::{Instant, sleep};

use super::error;
use super::letters::DeadLetterStream;
use crate::connection::{Connection, REQUEST_TIMEOUT};
use crate::error::NatsError;

/// Pause before an ack is sent again.
const ACK_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How long the server may not know the consumer, as after a change of leaders.
const CONSUMER_ABSENCE_TIMEOUT: Duration = Duration::from_secs(5);

/// State shared by the receipts of a consumer.
pub(super) struct AckContext {
    pub(super) connection: Connection,
    pub(super) letters: Arc<DeadLetterStream>,
    /// After this time the server redelivers the message, and acks of the delivery have no effect.
    pub(super) ack_wait: Duration,
}

pub(super) struct StreamReceipt {
    pub(super) ack_context: Arc<AckContext>,
    pub(super) message: JetStreamMessage,
    /// Number of headers that were dropped, if they were too many.
    pub(super) omitted_headers: Option<usize>,
}

impl StreamReceipt {
    /// Sends the ack until the server confirms it.
    async fn send_ack_retrying(&self, kind: AckKind) -> Result<()> {
        let payload = Bytes::from(kind);
        let start = Instant::now();
        loop {
            let Err((error, patience)) = self.send_ack(payload.clone()).await else { return Ok(()) };
            if start.elapsed() >= patience {
                return Err(error);
            }
            sleep(ACK_RETRY_PAUSE).await;
        }
    }

    /// Sends the ack once. An error carries how long to retry.
    async fn send_ack(&self, payload: Bytes) -> std::result::Result<(), (Error, Duration)> {
        let Some(reply) = self.message.reply.clone() else {
            return Err((NatsError::Other.into(), Duration::ZERO));
        };
        let request = Request::new().payload(payload).timeout(Some(REQUEST_TIMEOUT));
        let ack_wait = self.ack_context.ack_wait;
        match self
            .ack_context
            .connection
            .request(self.ack_context.connection.client().send_request(reply, request))
            .await
        {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                let error = Error::new(ErrorKind::Unavailable, "the server does not know the consumer");
                Err((error, CONSUMER_ABSENCE_TIMEOUT.min(ack_wait)))
            }
            Ok(Err(error)) => Err((NatsError::from(error).into(), ack_wait)),
            Err(lost) => Err((error::lost(lost), ack_wait)),
        }
    }
}

#[async_trait]
impl Receipt for StreamReceipt {
    async fn ack(self: Box<Self>) -> Result<()> {
        self.send_ack_retrying(AckKind::Ack).await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> Result<()> {
        // A nak with a delay, even of 0, waits for the server's next timer.
        self.send_ack_retrying(AckKind::Nak((!delay.is_zero()).then_some(delay))).await
    }

    async fn reject(self: Box<Self>, reason: &str) -> Result<()> {
        let info = self.message.info().map_err(|error| NatsError::other(&*error))?;
        self.ack_context.letters.keep(&self.message, &info, reason, self.omitted_headers).await?;
        self.send_ack_retrying(AckKind::Term).await
    }

    async fn extend(&self) -> Result<()> {
        self.send_ack(Bytes::from(AckKind::Progress)).await.map_err(|(error, _)| error)
    }
}
