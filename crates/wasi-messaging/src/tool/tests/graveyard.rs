//! A broker with only an operator interface, under the scheme `grave:`.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use tempo_backend::{BackendContext, BackendScheme};
use tempo_settings::BackendUrl;

use super::letter;
use crate::{Broker, Consumer, ConsumerInfo, ConsumerMove, DeadLetter, Error, ErrorKind};
use crate::{Message, Moved, Operator, Result, StreamInfo, Subscription};

/// The scheme `grave:`. Each test registers its broker under the part after the colon.
pub(super) struct Grave;

/// A broker with only an operator interface.
#[derive(Clone)]
pub(super) struct Graveyard {
    pub(super) letters: Arc<tokio::sync::Mutex<Vec<DeadLetter>>>,
    /// Replayed messages.
    pub(super) replayed: Arc<tokio::sync::Mutex<Vec<u64>>>,
    pub(super) consumers: Vec<ConsumerInfo>,
    /// Replayed messages fail again and return.
    pub(super) cursed: bool,
    /// The letter that fails.
    pub(super) stuck: Option<u64>,
}

impl Graveyard {
    pub(super) fn new(letters: Vec<DeadLetter>) -> Self {
        let letters = Arc::new(tokio::sync::Mutex::new(letters));
        Self { letters, replayed: Arc::default(), consumers: Vec::new(), cursed: false, stuck: None }
    }
}

static GRAVES: LazyLock<std::sync::Mutex<Vec<(String, Graveyard)>>> = LazyLock::new(std::sync::Mutex::default);

#[async_trait]
impl BackendScheme<dyn Broker> for Grave {
    const NAMES: &'static [&'static str] = &["grave", "hollow"];

    async fn open(url: &BackendUrl, _: BackendContext<'_>) -> tempo_settings::Result<Arc<dyn Broker>> {
        if url.scheme() == "hollow" {
            return Ok(Arc::new(crate::testing::Recorder::default()));
        }
        let graves = GRAVES.lock().unwrap();
        let (_, found) = graves.iter().find(|(name, _)| name == url.reveal()).unwrap();
        Ok(Arc::new(found.clone()))
    }
}

#[async_trait]
impl Broker for Graveyard {
    async fn publish(&self, _: Vec<Message>) -> Vec<Result<()>> {
        panic!("the tool publishes nothing itself")
    }

    async fn reply(&self, _: Message) -> Result<()> {
        panic!("the tool sends no answers")
    }

    async fn request(&self, _: Message, _: usize, _: Duration) -> Result<Vec<Message>> {
        panic!("the tool sends no requests")
    }

    async fn subscribe(&self, _: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        panic!("the tool makes no consumers")
    }

    fn operator(&self) -> Option<&dyn Operator> {
        Some(self)
    }
}

#[async_trait]
impl Operator for Graveyard {
    async fn stream(&self) -> Result<StreamInfo> {
        let dead_letters = self.letters.lock().await.len() as u64;
        Ok(StreamInfo::new("YARD", 1, dead_letters, self.consumers.clone()))
    }

    async fn dead_letters(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        assert!(limit <= 16, "more at once than memory is meant for");
        let letters = self.letters.lock().await;
        Ok(letters.iter().filter(|letter| Some(letter.sequence) > after).take(limit).cloned().collect())
    }

    async fn replay(&self, sequence: u64) -> Result<()> {
        self.purge(sequence).await?;
        self.replayed.lock().await.push(sequence);
        if self.cursed {
            let mut letters = self.letters.lock().await;
            let next = letters.last().map_or(sequence, |last| last.sequence) + 1;
            letters.push(letter(next, "again"));
        }
        Ok(())
    }

    async fn move_consumer(&self, _: &str, _: &ConsumerMove) -> Result<Moved> {
        panic!("nothing is moved here")
    }

    async fn remove_consumer(&self, _: &str) -> Result<ConsumerInfo> {
        panic!("nothing is removed here")
    }

    async fn purge(&self, sequence: u64) -> Result<()> {
        if self.stuck == Some(sequence) {
            return Err(Error::new(ErrorKind::Unavailable, "the broker is unreachable"));
        }
        let mut letters = self.letters.lock().await;
        let Some(index) = letters.iter().position(|letter| letter.sequence == sequence) else {
            return Err(Error::new(ErrorKind::InvalidArgument, format!("there is no dead letter {sequence}")));
        };
        letters.remove(index);
        Ok(())
    }
}

/// Registers `graveyard` under a URL of its own.
pub(super) fn dig(graveyard: &Graveyard) -> String {
    let mut graves = GRAVES.lock().unwrap();
    let name = graves.len().to_string();
    graves.push((name.clone(), graveyard.clone()));
    format!("grave:{name}")
}
