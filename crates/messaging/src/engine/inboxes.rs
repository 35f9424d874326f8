//! Reply inboxes: in-process queues that live as long as their request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::{INBOX, Message};

/// Maximum unread answers per inbox; further ones are dropped.
const MAX_QUEUED_REPLIES: usize = 256;

/// The inboxes of one engine.
#[derive(Clone, Default)]
pub(super) struct Inboxes {
    open: Arc<Mutex<HashMap<String, mpsc::Sender<Message>>>>,
}

/// One inbox. Dropping it closes it; later answers are discarded.
pub(super) struct Inbox {
    pub(super) topic: String,
    pub(super) answers: mpsc::Receiver<Message>,
    all: Inboxes,
}

impl Inboxes {
    fn open(&self) -> MutexGuard<'_, HashMap<String, mpsc::Sender<Message>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens an inbox for `replies` answers.
    pub(super) fn inbox(&self, replies: usize) -> Inbox {
        let topic = format!("{INBOX}{}", nuid::next());
        let (sender, answers) = mpsc::channel(replies.clamp(1, MAX_QUEUED_REPLIES));
        self.open().insert(topic.clone(), sender);
        Inbox { topic, answers, all: self.clone() }
    }

    /// Sends `answer` to the inbox that its topic names, if it is open.
    pub(super) fn deliver(&self, answer: Message) {
        if let Some(inbox) = self.open().get(&answer.topic) {
            // Full or closed: no request waits for this answer.
            let _ = inbox.try_send(answer);
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.all.open().remove(&self.topic);
    }
}
