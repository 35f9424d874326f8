//! Requests to read the settings and the components again while the process serves.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// Maximum number of requests that wait.
const QUEUE: usize = 4;

/// A request for a reload.
pub(crate) struct ReloadRequest {
    /// The reason, for the log: `SIGHUP`.
    pub reason: String,
    /// Receives the outcome.
    pub done: Option<oneshot::Sender<ReloadOutcome>>,
}

/// The outcome of a reload. After an error the previous version goes on. What serves logs an outcome for which nothing waits.
pub(crate) type ReloadOutcome = Result<Reloaded, String>;

/// A reload that succeeded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reloaded {
    /// The names of the components that were made anew or are gone.
    pub components: Vec<String>,
    /// The flags of the process whose values changed.
    pub settings: Vec<&'static str>,
    /// From the request to the first call of the new version.
    pub duration: Duration,
}

impl Reloaded {
    /// Returns what changed, for the log.
    pub(crate) fn summary(&self) -> String {
        let (components, settings) = (self.components.join(", "), self.settings.join(", "));
        match (components.is_empty(), settings.is_empty()) {
            (true, true) => "no component has changed".to_owned(),
            (true, false) => format!("no component has changed, only {settings}"),
            (false, true) => format!("{components}, in {} ms", self.duration.as_millis()),
            (false, false) => format!("{components}, in {} ms, and {settings}", self.duration.as_millis()),
        }
    }
}

/// Sends requests.
pub(crate) type ReloadSender = mpsc::Sender<ReloadRequest>;

/// Receives requests. It resolves never if nothing sends any.
pub(crate) struct Reloads {
    requests: mpsc::Receiver<ReloadRequest>,
    _sender: ReloadSender,
}

impl Reloads {
    /// Creates the two ends.
    pub(crate) fn channel() -> (ReloadSender, Self) {
        let (sender, requests) = mpsc::channel(QUEUE);
        (sender.clone(), Self { requests, _sender: sender })
    }

    /// Waits for the next request, and blocks the thread.
    pub(crate) fn blocking_next(&mut self) -> Option<ReloadRequest> {
        self.requests.blocking_recv()
    }

    /// Waits for the next request.
    pub(crate) async fn next(&mut self) -> ReloadRequest {
        match self.requests.recv().await {
            Some(request) => request,
            // The sender lives as long as the receiver.
            None => std::future::pending().await,
        }
    }
}

impl ReloadRequest {
    /// Creates the request of SIGHUP.
    pub(crate) fn of_signal() -> Self {
        Self { reason: "SIGHUP".to_owned(), done: None }
    }
}
