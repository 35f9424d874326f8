//! The bytes that the host holds for one store, counted once for all services.
//!
//! What a guest makes the host keep lies outside its linear memory: header fields, the arguments of calls under way,
//! values read for it, buffers. Each service reserves such bytes before it keeps them, in one budget for each store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempo_telemetry::Telemetry;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The bytes that the host may hold for one store. Cheap to clone; clones share the bytes.
///
/// ```
/// use tempo_backend::{ByteBudget, OverBudget};
///
/// let budget = ByteBudget::new(10);
/// let fields = budget.hold(6)?;
/// assert_eq!(budget.try_reserve(5).err(), Some(OverBudget::Exhausted { limit: 10 }));
/// drop(fields);
/// assert!(budget.try_reserve(5).is_ok());
/// # Ok::<(), OverBudget>(())
/// ```
#[derive(Clone)]
pub struct ByteBudget(Arc<Inner>);

struct Inner {
    limit: usize,
    /// One permit for each byte that is left.
    left: Semaphore,
    /// One permit for each byte that those may have that wait, in the order in which they came. It is three quarters of
    /// the budget: the rest is there for those that cannot wait.
    waiting: Semaphore,
    /// Bytes that no call gives back by ending: what the guest holds, and what calls keep while they wait for more.
    held: AtomicUsize,
    telemetry: Telemetry,
}

/// Why bytes could not be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OverBudget {
    /// The request is larger than the whole budget.
    TooLarge {
        /// The whole budget, in bytes.
        limit: usize,
    },
    /// The bytes are not left.
    Exhausted {
        /// The whole budget, in bytes.
        limit: usize,
    },
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => {
                write!(f, "that is more than the {limit} bytes that the host holds for one instance")
            }
            Self::Exhausted { limit } => {
                write!(f, "the host holds {limit} bytes for the instance already, or would with these")
            }
        }
    }
}

impl std::error::Error for OverBudget {}

impl ByteBudget {
    /// The setting that changes the limit, as it is counted among the limits that were hit.
    const SETTING: &'static str = "max-host-memory";

    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self::with_telemetry(bytes, Telemetry::off())
    }

    /// A budget of `bytes` that counts in `telemetry` when it is exhausted.
    pub fn with_telemetry(bytes: usize, telemetry: Telemetry) -> Self {
        let limit = bytes.min(Semaphore::MAX_PERMITS);
        let (left, waiting) = (Semaphore::new(limit), Semaphore::new(share(limit)));
        Self(Arc::new(Inner { limit, left, waiting, held: AtomicUsize::new(0), telemetry }))
    }

    /// The whole budget, in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.0.left.available_permits()
    }

    /// A reservation of nothing yet, to grow with what the guest holds until it gives it up.
    pub fn empty(&self) -> Reservation {
        Reservation::new(self, true)
    }

    /// Reserves `bytes` for what the guest holds until it gives it up, such as a resource.
    ///
    /// # Errors
    ///
    /// The bytes are not left, or are more than the whole budget.
    pub fn hold(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = self.empty();
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// Reserves `bytes` for a call, which ends whatever the guest does.
    ///
    /// # Errors
    ///
    /// The bytes are not left, or are more than the whole budget.
    pub fn try_reserve(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = Reservation::new(self, false);
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// Reserves `bytes` for a call, as soon as other calls have given back enough.
    ///
    /// # Errors
    ///
    /// As for [`Reservation::grow`].
    pub async fn reserve(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = Reservation::new(self, false);
        reservation.grow(bytes).await?;
        Ok(reservation)
    }

    fn try_take(&self, bytes: usize) -> Result<(), OverBudget> {
        let permits = self.permits(bytes)?;
        match self.0.left.try_acquire_many(permits) {
            Ok(taken) => {
                taken.forget();
                Ok(())
            }
            Err(_) => Err(self.exhausted()),
        }
    }

    fn permits(&self, bytes: usize) -> Result<u32, OverBudget> {
        let permits = u32::try_from(bytes).ok().filter(|_| bytes <= self.0.limit);
        permits.ok_or_else(|| {
            self.0.telemetry.count_limit_hit(Self::SETTING);
            OverBudget::TooLarge { limit: self.0.limit }
        })
    }

    /// Both permits, if nothing has to wait.
    fn try_both(&self, share: u32, permits: u32) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let turn = self.0.waiting.try_acquire_many(share).ok()?;
        Some((turn, self.0.left.try_acquire_many(permits).ok()?))
    }

    fn exhausted(&self) -> OverBudget {
        self.0.telemetry.count_limit_hit(Self::SETTING);
        OverBudget::Exhausted { limit: self.0.limit }
    }
}

/// What those that wait may have of a budget of `limit` bytes together.
fn share(limit: usize) -> usize {
    limit.saturating_sub(limit / 4)
}

impl fmt::Debug for ByteBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteBudget").field("limit", &self.limit()).field("left", &self.left()).finish_non_exhaustive()
    }
}

/// Bytes of a [`ByteBudget`], given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: ByteBudget,
    bytes: usize,
    /// How many of them have permits of those that wait.
    waited: usize,
    /// Whether the guest decides when it is given back.
    held: bool,
}

impl Reservation {
    fn new(budget: &ByteBudget, held: bool) -> Self {
        Self { budget: budget.clone(), bytes: 0, waited: 0, held }
    }

    /// How many bytes are reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes could be added.
    pub fn room(&self) -> usize {
        self.budget.left()
    }

    /// Adds `bytes` if they are left.
    ///
    /// # Errors
    ///
    /// The bytes are not left, or are more than the whole budget. Nothing has changed then.
    pub fn try_grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        if bytes == 0 {
            return Ok(());
        }
        self.budget.try_take(bytes)?;
        self.add(bytes);
        Ok(())
    }

    /// Adds `bytes`, and waits for them while other calls have them, which give them back when they end. Those that wait
    /// have no more than three quarters of the budget together.
    ///
    /// # Errors
    ///
    /// The bytes are more than the whole budget, or more than what is left if all other calls have ended: the guest holds
    /// the rest, and might wait for this call before it gives anything up. Nothing has changed then.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let budget = self.budget.clone();
        let permits = budget.permits(bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        let share = u32::try_from(share(budget.0.limit)).unwrap_or(u32::MAX).min(permits);
        let (turn, taken) = match budget.try_both(share, permits) {
            Some(both) => both,
            None => {
                let _kept = Kept::new(&budget, if self.held { 0 } else { self.bytes });
                if bytes > budget.0.limit.saturating_sub(budget.0.held.load(Ordering::Relaxed)) {
                    return Err(budget.exhausted());
                }
                let turn = budget.0.waiting.acquire_many(share).await.map_err(|_| budget.exhausted())?;
                (turn, budget.0.left.acquire_many(permits).await.map_err(|_| budget.exhausted())?)
            }
        };
        self.waited = self.waited.saturating_add(turn.num_permits());
        turn.forget();
        taken.forget();
        self.add(bytes);
        Ok(())
    }

    /// Gives `bytes` back, or all if there are fewer.
    pub fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        if bytes == 0 {
            return;
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        if self.held {
            self.budget.0.held.fetch_sub(bytes, Ordering::Relaxed);
        }
        self.budget.0.left.add_permits(bytes);
        let over = self.waited.saturating_sub(self.bytes);
        if over > 0 {
            self.waited = self.bytes;
            self.budget.0.waiting.add_permits(over);
        }
    }

    /// Grows or shrinks to `bytes`.
    ///
    /// # Errors
    ///
    /// As for [`try_grow`](Self::try_grow).
    pub fn try_resize(&mut self, bytes: usize) -> Result<(), OverBudget> {
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.try_grow(more),
            None => {
                self.shrink(self.bytes.saturating_sub(bytes));
                Ok(())
            }
        }
    }

    fn add(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.held {
            self.budget.0.held.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// The bytes that a call keeps while it waits for more: it does not give them back to others that wait.
struct Kept<'a> {
    budget: &'a ByteBudget,
    bytes: usize,
}

impl<'a> Kept<'a> {
    fn new(budget: &'a ByteBudget, bytes: usize) -> Self {
        budget.0.held.fetch_add(bytes, Ordering::Relaxed);
        Self { budget, bytes }
    }
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
