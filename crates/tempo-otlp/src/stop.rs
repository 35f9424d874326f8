//! The stop signal of the telemetry thread.

use tokio::sync::watch;
use tokio::time::Instant;

/// Sends the stop signal. Dropping it sends the signal with an immediate deadline.
pub(crate) struct Stopper(watch::Sender<Option<Instant>>);

/// Receives the stop signal.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

/// Creates a connected pair.
pub(crate) fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Signals to stop, with a `deadline`.
    pub(crate) fn stop(&self, deadline: Instant) {
        self.0.send_replace(Some(deadline));
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.send_if_modified(|deadline| {
            let unset = deadline.is_none();
            deadline.get_or_insert_with(Instant::now);
            unset
        });
    }
}

impl Stop {
    /// Returns whether the signal was sent.
    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for the signal.
    pub(crate) async fn wait(&mut self) {
        // The sender sends the signal before it is dropped.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits for the signal's deadline.
    pub(crate) async fn deadline(&mut self) {
        let deadline = self.0.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
        if let Some(deadline) = deadline {
            tokio::time::sleep_until(deadline).await;
        }
    }
}
