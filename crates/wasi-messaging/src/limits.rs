//! Limits on messages and requests.

use std::time::Duration;

use tempo_core::Limits;
use tempo_messaging::{MAX_HEADER_BYTES, MAX_HEADERS};
use tempo_settings::{Flag, Settings, Size};

/// Minimum timeout of a request: 0 could never succeed.
const MIN_WAIT: Duration = Duration::from_millis(1);

pub(crate) const MAX_MESSAGE: Flag =
    Flag::new("max-message-size", "SIZE", "Largest payload of a message that a component sends")
        .default("1MiB")
        .of::<Size>();

/// Limits on messages, in bytes, and on requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessagingLimits {
    /// Maximum payload of a message.
    pub payload: usize,
    /// Maximum headers of a message.
    pub headers: usize,
    /// Maximum bytes of a message's header names and values.
    pub header_bytes: usize,
    /// Maximum bytes of all answers to a request.
    pub answer: usize,
    /// Maximum timeout of a request.
    pub request: Duration,
}

impl MessagingLimits {
    /// Payloads of 1 MiB, 100 headers of 16 KiB; answers up to the hostcall limit, within the request timeout.
    pub fn new(limits: &Limits) -> Self {
        let (headers, header_bytes) = (MAX_HEADERS, MAX_HEADER_BYTES);
        Self { payload: 1 << 20, headers, header_bytes, answer: limits.hostcall_bytes, request: limits.request }
    }

    pub(crate) fn from_settings(settings: &Settings, limits: &Limits) -> tempo_settings::Result<Self> {
        let Size(payload) = settings.require(&MAX_MESSAGE)?;
        Ok(Self { payload, ..Self::new(limits) })
    }

    /// Clamps a guest's `timeout`, in milliseconds; `None` is the maximum.
    pub(crate) fn wait(&self, timeout: Option<u32>) -> Duration {
        let wanted = timeout.map_or(self.request, |milliseconds| Duration::from_millis(milliseconds.into()));
        wanted.min(self.request).max(MIN_WAIT)
    }
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Value, ValueSource};

    use super::*;

    #[test]
    fn the_size_of_a_message_can_be_said() {
        let mut settings = Settings::default();
        let defaults = MessagingLimits::from_settings(&settings, &Limits::default()).unwrap();
        assert_eq!(defaults, MessagingLimits::new(&Limits::default()));
        settings.set(&MAX_MESSAGE, vec![Value { text: "2KiB".into(), source: ValueSource::CommandLine }]);
        let limits = MessagingLimits::from_settings(&settings, &Limits::default()).unwrap();
        assert_eq!((limits.payload, limits.headers), (2048, 100));
    }

    #[test]
    fn waiting_has_an_end_and_a_beginning() {
        let limits = MessagingLimits::new(&Limits::default());
        for (timeout, milliseconds) in [
            (Some(0), 1),
            (Some(1), 1),
            (Some(2), 2),
            (Some(29_999), 29_999),
            (Some(30_000), 30_000),
            (Some(30_001), 30_000),
            (Some(u32::MAX), 30_000),
            (None, 30_000),
        ] {
            assert_eq!(limits.wait(timeout), Duration::from_millis(milliseconds), "{timeout:?}");
        }
    }
}
