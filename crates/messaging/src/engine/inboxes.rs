//! Where answers to requests come in: queues within the process, each there for as long as somebody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::{INBOX, Message};

/// Answers that one inbox holds until they are read; more are dropped, as nobody asked for so many.
const QUEUE: usize = 256;

/// The inboxes of one engine.
#[derive(Clone, Default)]
pub(super) struct Inboxes {
    open: Arc<Mutex<HashMap<String, mpsc::Sender<Message>>>>,
}

/// One inbox. Dropped, it is closed, and answers that still come are dropped.
pub(super) struct Inbox {
    pub(super) topic: String,
    pub(super) answers: mpsc::Receiver<Message>,
    all: Inboxes,
}

impl Inboxes {
    fn open(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Message>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an inbox in which some `replies` are expected.
    pub(super) fn inbox(&self, replies: usize) -> Inbox {
        let topic = format!("{INBOX}{}", nuid::next());
        let (sender, answers) = mpsc::channel(replies.clamp(1, QUEUE));
        self.open().insert(topic.clone(), sender);
        Inbox { topic, answers, all: self.clone() }
    }

    /// Hands `answer` to whoever waits for it, if anybody does.
    pub(super) fn deliver(&self, answer: Message) {
        if let Some(inbox) = self.open().get(&answer.topic) {
            // Full or closed: nobody will miss it.
            let _ = inbox.try_send(answer);
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.all.open().remove(&self.topic);
    }
}
