//! The word that it is time to end.

use tokio::sync::watch;
use tokio::time::Instant;

/// Says when to end. Dropped, it says at once.
pub(crate) struct Stopper(watch::Sender<Option<Instant>>);

/// Hears when to end.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<Option<Instant>>);

/// One that says it, and one that hears it.
pub(crate) fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// It is time to end, and at `deadline` to be gone.
    pub(crate) fn stop(&self, deadline: Instant) {
        self.0.send_replace(Some(deadline));
    }
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.send_if_modified(|deadline| {
            let unsaid = deadline.is_none();
            deadline.get_or_insert_with(Instant::now);
            unsaid
        });
    }
}

impl Stop {
    /// Whether it is time to end.
    pub(crate) fn is_set(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits for it.
    pub(crate) async fn wait(&mut self) {
        // The sender says it before it is gone.
        let _ = self.0.wait_for(Option::is_some).await;
    }

    /// Waits until it is time to be gone.
    pub(crate) async fn deadline(&mut self) {
        let deadline = self.0.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
        if let Some(deadline) = deadline {
            tokio::time::sleep_until(deadline).await;
        }
    }
}
