//! `ByteBudget`: bounds the bytes that the host holds for one store, in all services together.
//!
//! The host holds data of a guest outside its linear memory: header fields, arguments of running calls, values, buffers.
//! Each service reserves such bytes before it holds them, in one budget for each store.

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
    /// One permit for each available byte.
    left: Semaphore,
    /// One permit for each byte that waiting reservations may have, in FIFO order: three quarters of the budget. The rest is
    /// left for reservations that cannot wait.
    waiting: Semaphore,
    /// Bytes that are not released when calls end: those that the guest holds, and those of calls that wait for more.
    held: AtomicUsize,
    telemetry: Telemetry,
}

/// The error of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OverBudget {
    /// The reservation is larger than the whole budget.
    TooLarge {
        /// The whole budget, in bytes.
        limit: usize,
    },
    /// Too few bytes are available.
    Exhausted {
        /// The whole budget, in bytes.
        limit: usize,
    },
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => {
                write!(f, "larger than the {limit} bytes that the host may hold for one instance")
            }
            Self::Exhausted { limit } => {
                write!(f, "the host would hold more than {limit} bytes for the instance")
            }
        }
    }
}

impl std::error::Error for OverBudget {}

impl ByteBudget {
    /// Name of the limit in metrics: its flag.
    const FLAG: &'static str = "max-host-memory";

    /// Creates a budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        Self::with_telemetry(bytes, Telemetry::off())
    }

    /// Creates a budget of `bytes` that counts failed reservations in `telemetry`.
    pub fn with_telemetry(bytes: usize, telemetry: Telemetry) -> Self {
        let limit = bytes.min(Semaphore::MAX_PERMITS);
        let (left, waiting) = (Semaphore::new(limit), Semaphore::new(waiting_share(limit)));
        Self(Arc::new(Inner { limit, left, waiting, held: AtomicUsize::new(0), telemetry }))
    }

    /// Returns the whole budget, in bytes.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Returns the number of available bytes.
    pub fn left(&self) -> usize {
        self.0.left.available_permits()
    }

    /// Returns an empty reservation, to grow with data that the guest holds.
    pub fn empty(&self) -> Reservation {
        Reservation::new(self, true)
    }

    /// Reserves `bytes` for data that the guest holds, such as a resource: the guest decides when it is released.
    ///
    /// # Errors
    ///
    /// Too few bytes are available, or `bytes` is larger than the whole budget.
    pub fn hold(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = self.empty();
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// Reserves `bytes` for a call, which ends independently of the guest.
    ///
    /// # Errors
    ///
    /// Too few bytes are available, or `bytes` is larger than the whole budget.
    pub fn try_reserve(&self, bytes: usize) -> Result<Reservation, OverBudget> {
        let mut reservation = Reservation::new(self, false);
        reservation.try_grow(bytes)?;
        Ok(reservation)
    }

    /// Reserves `bytes` for a call, and waits until other calls have released enough.
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
            self.0.telemetry.count_limit_hit(Self::FLAG);
            OverBudget::TooLarge { limit: self.0.limit }
        })
    }

    /// Acquires the permits of both semaphores, without waiting.
    fn try_acquire_both(&self, share: u32, permits: u32) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let turn = self.0.waiting.try_acquire_many(share).ok()?;
        Some((turn, self.0.left.try_acquire_many(permits).ok()?))
    }

    fn exhausted(&self) -> OverBudget {
        self.0.telemetry.count_limit_hit(Self::FLAG);
        OverBudget::Exhausted { limit: self.0.limit }
    }
}

/// Returns the bytes that waiting reservations may have of a budget of `limit` bytes.
fn waiting_share(limit: usize) -> usize {
    limit.saturating_sub(limit / 4)
}

impl fmt::Debug for ByteBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteBudget").field("limit", &self.limit()).field("left", &self.left()).finish_non_exhaustive()
    }
}

/// Reserved bytes of a [`ByteBudget`]. Dropping it releases them.
#[derive(Debug)]
pub struct Reservation {
    budget: ByteBudget,
    bytes: usize,
    /// Number of bytes with permits of [`Inner::waiting`].
    waited: usize,
    /// Whether the guest decides when it is released.
    held: bool,
}

impl Reservation {
    fn new(budget: &ByteBudget, held: bool) -> Self {
        Self { budget: budget.clone(), bytes: 0, waited: 0, held }
    }

    /// Returns the number of reserved bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the number of bytes available to grow.
    pub fn available(&self) -> usize {
        self.budget.left()
    }

    /// Adds `bytes`, without waiting.
    ///
    /// # Errors
    ///
    /// Too few bytes are available, or `bytes` is larger than the whole budget. The reservation is unchanged.
    pub fn try_grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        if bytes == 0 {
            return Ok(());
        }
        self.budget.try_take(bytes)?;
        self.add(bytes);
        Ok(())
    }

    /// Adds `bytes`, and waits until other calls have released them. All waiting reservations together get at most three
    /// quarters of the budget.
    ///
    /// # Errors
    ///
    /// `bytes` is larger than the whole budget, or larger than the part that the guest does not hold: the guest may wait for
    /// this call before it releases anything, so waiting could deadlock. The reservation is unchanged.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let budget = self.budget.clone();
        let permits = budget.permits(bytes)?;
        if bytes == 0 {
            return Ok(());
        }
        let share = u32::try_from(waiting_share(budget.0.limit)).unwrap_or(u32::MAX).min(permits);
        let (turn, taken) = match budget.try_acquire_both(share, permits) {
            Some(both) => both,
            None => {
                let _held = HeldWhileWaiting::new(&budget, if self.held { 0 } else { self.bytes });
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

    /// Releases `bytes`, or all if fewer are reserved.
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

/// Counts the bytes of a call as held while it waits for more: it does not release them to other waiting calls.
struct HeldWhileWaiting<'a> {
    budget: &'a ByteBudget,
    bytes: usize,
}

impl<'a> HeldWhileWaiting<'a> {
    fn new(budget: &'a ByteBudget, bytes: usize) -> Self {
        budget.0.held.fetch_add(bytes, Ordering::Relaxed);
        Self { budget, bytes }
    }
}

impl Drop for HeldWhileWaiting<'_> {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
