//! `SetOptions` and `UpdateOptions`: options of a write.

use std::time::Duration;

use crate::bindings::tempo::keyvalue::lifetimes::Lifetime;
use crate::bindings::wasmcloud::keyvalue::types;

/// Options of [`Bucket::set_with`](crate::Bucket::set_with). Without an option it writes as `set` does: it replaces an
/// existing entry, and the entry has no TTL.
///
/// ```
/// use std::time::Duration;
/// use tempo_sdk_keyvalue::SetOptions;
///
/// let lock = SetOptions::new().ttl(Duration::from_secs(30)).if_absent();
/// assert_ne!(lock, SetOptions::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct SetOptions {
    ttl: Option<Duration>,
    if_absent: bool,
}

impl SetOptions {
    /// Creates options with nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the TTL, counted from the write, in whole milliseconds (rounded up). Zero is not allowed. A store without
    /// TTLs returns an error; many stores have a resolution of seconds.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Writes only if there is no entry; otherwise the write fails with
    /// [`PreconditionFailed`](crate::Error::PreconditionFailed). The host checks and writes in one step, so exactly one
    /// of several concurrent writers succeeds.
    pub fn if_absent(mut self) -> Self {
        self.if_absent = true;
        self
    }

    pub(crate) fn to_host(self) -> types::SetOptions {
        types::SetOptions { ttl_ms: self.ttl.map(milliseconds), if_not_exists: self.if_absent }
    }
}

/// The lifetime of an entry that [`Bucket::update_with`](crate::Bucket::update_with) or
/// [`Bucket::swap_with`](crate::Bucket::swap_with) writes. Without an option the entry has no TTL, as with `update`.
///
/// ```
/// use std::time::Duration;
/// use tempo_sdk_keyvalue::UpdateOptions;
///
/// // An entry that expires an hour after it was created, however often it is updated.
/// let hour = UpdateOptions::new().keep_ttl().ttl(Duration::from_secs(3600));
/// assert_ne!(hour, UpdateOptions::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct UpdateOptions {
    ttl: Option<Duration>,
    keep_ttl: bool,
}

impl UpdateOptions {
    /// Creates options with nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the TTL of an existing entry: it expires when it would have expired without the update.
    pub fn keep_ttl(mut self) -> Self {
        self.keep_ttl = true;
        self
    }

    /// Sets the TTL, as [`SetOptions::ttl`] does. With [`keep_ttl`](Self::keep_ttl), only that of a new entry.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Returns the options of the write that creates the entry.
    pub(crate) fn creation(self) -> SetOptions {
        SetOptions { ttl: self.ttl, if_absent: true }
    }

    pub(crate) fn to_host(self) -> Lifetime {
        match self.ttl {
            _ if self.keep_ttl => Lifetime::Kept,
            Some(ttl) => Lifetime::TtlMs(milliseconds(ttl)),
            None => Lifetime::Endless,
        }
    }
}

/// Converts to milliseconds, rounded up so that a TTL above zero does not become zero.
fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_milliseconds() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(1)), 1);
        assert_eq!(milliseconds(Duration::from_micros(1_001)), 2);
        assert_eq!(milliseconds(Duration::MAX), u64::MAX);
    }

    #[test]
    fn options_reach_the_host() {
        let host = SetOptions::new().to_host();
        assert_eq!((host.ttl_ms, host.if_not_exists), (None, false));
        let host = SetOptions::new().ttl(Duration::from_secs(2)).if_absent().to_host();
        assert_eq!((host.ttl_ms, host.if_not_exists), (Some(2_000), true));
    }

    #[test]
    fn lifetimes_reach_the_host() {
        let (new, second) = (UpdateOptions::new(), Duration::from_secs(1));
        assert!(matches!(new.to_host(), Lifetime::Endless));
        assert!(matches!(new.ttl(second).to_host(), Lifetime::TtlMs(1_000)));
        assert!(matches!(new.keep_ttl().to_host(), Lifetime::Kept));
        assert!(matches!(new.ttl(second).keep_ttl().to_host(), Lifetime::Kept));
        assert_eq!(new.keep_ttl().creation(), SetOptions::new().if_absent());
        assert_eq!(new.keep_ttl().ttl(second).creation(), SetOptions::new().ttl(second).if_absent());
    }
}
