//! Limits on the headers of incoming messages. Other programs publish too, beyond the limits of a component: headers
//! are counted before they are copied.

use crate::Message;

/// Maximum headers of a message, as in `tempo:messaging`.
pub const MAX_HEADERS: usize = 100;
/// Maximum bytes in all header names and values of a message, as in `tempo:messaging`.
pub const MAX_HEADER_BYTES: usize = 16 << 10;
/// Prefixes of headers that servers and hosts exchange.
const RESERVED_PREFIXES: [&str; 2] = ["nats-", "tempo-"];
/// Headers that a host adds to those of a component.
const HOST_HEADERS: [&str; 4] = ["content-type", "traceparent", "tracestate", "baggage"];

/// Counts the headers of an incoming message.
///
/// A component receives as many as it may send: 100 headers, 16 KiB of names and values. Headers added by servers and
/// hosts have a separate budget of the same size.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderCount {
    own: HeaderSum,
    added: HeaderSum,
}

#[derive(Clone, Copy, Debug, Default)]
struct HeaderSum {
    headers: usize,
    bytes: usize,
}

impl HeaderSum {
    fn is_too_large(self) -> bool {
        self.headers > MAX_HEADERS || self.bytes > MAX_HEADER_BYTES
    }
}

impl HeaderCount {
    /// Counts one header.
    pub fn add(&mut self, name: &str, value: &str) {
        let sum = if is_added(name) { &mut self.added } else { &mut self.own };
        sum.headers = sum.headers.saturating_add(1);
        sum.bytes = sum.bytes.saturating_add(name.len()).saturating_add(value.len());
    }

    /// Number of headers.
    pub fn headers(&self) -> usize {
        self.own.headers.saturating_add(self.added.headers)
    }

    /// Returns the reason if the message exceeds the limits.
    pub fn refusal(&self) -> Option<String> {
        let (headers, bytes) = (self.headers(), self.own.bytes.saturating_add(self.added.bytes));
        let reason = format_args!(
            "the message has {headers} headers of {bytes} bytes; a component is given {MAX_HEADERS} of {MAX_HEADER_BYTES}"
        );
        (self.own.is_too_large() || self.added.is_too_large()).then(|| reason.to_string())
    }
}

/// Returns the reason if `message` exceeds the limits.
pub fn check_headers(message: &Message) -> Option<String> {
    let mut count = HeaderCount::default();
    message.headers.iter().for_each(|(name, value)| count.add(name, value));
    count.refusal()
}

fn is_added(name: &str) -> bool {
    let begins = |prefix: &&str| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    RESERVED_PREFIXES.iter().any(begins) || HOST_HEADERS.iter().any(|added| name.eq_ignore_ascii_case(added))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
        let mut count = HeaderCount::default();
        headers.into_iter().for_each(|(name, value)| count.add(name, value));
        count.refusal().is_some()
    }

    #[test]
    fn headers_at_the_edge() {
        for name in ["n", "Nats-N", "tempo-n", "baggage"] {
            for (count, expected) in [(0, false), (99, false), (100, false), (101, true), (149_793, true)] {
                assert_eq!(refused(vec![(name, ""); count]), expected, "{name} {count}");
            }
            for (bytes, expected) in
                [(MAX_HEADER_BYTES - 1, false), (MAX_HEADER_BYTES, false), (MAX_HEADER_BYTES + 1, true)]
            {
                let value = "v".repeat(bytes - name.len());
                assert_eq!(refused([(name, value.as_str())]), expected, "{name} {bytes}");
            }
        }
    }

    #[test]
    fn what_a_host_adds_does_not_count_among_a_components_own() {
        let added =
            [("Content-Type", "a/b"), ("TraceParent", "00-1-2-01"), ("tracestate", "a=b"), ("Nats-Msg-Id", "7")];
        let own = vec![("n", "v"); 100];
        assert!(!refused(own.iter().copied().chain(added)));
        assert!(refused(own.into_iter().chain(added).chain([("natsy", "")])));
    }

    #[test]
    fn the_reason_has_the_numbers() {
        let message = Message { headers: vec![("ab".into(), "c".into()); 101], ..Message::default() };
        let expected = "the message has 101 headers of 303 bytes; a component is given 100 of 16384";
        assert_eq!(check_headers(&message).as_deref(), Some(expected));
        assert_eq!(check_headers(&Message::default()), None);
    }
}
