//! Topics and subscription filters, with the syntax of NATS subjects.

mod filters;

pub use filters::{common, covers, intersection, is_superset, overlap, prune};

/// Maximum bytes of a topic or a filter.
pub const MAX_TOPIC: usize = 255;

/// Why a text is no topic or filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TopicError {
    /// It is empty, or longer than [`MAX_TOPIC`] bytes.
    Length,
    /// It begins or ends with a dot, or has two in a row.
    EmptyWord,
    /// It has a space or a control character.
    Character,
    /// A topic has a wildcard, or in a filter `>` is not the last word.
    Wildcard,
}

impl std::fmt::Display for TopicError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Length => "it must have 1 to 255 bytes",
            Self::EmptyWord => "a word between dots is empty",
            Self::Character => "spaces and control characters are not allowed",
            Self::Wildcard => "`*` and `>` stand alone between dots, `>` only at the end of a filter",
        })
    }
}

impl std::error::Error for TopicError {}

/// Checks a topic to publish on.
///
/// # Errors
///
/// It is not a topic.
pub fn check_topic(topic: &str) -> Result<(), TopicError> {
    check_words(topic)?;
    if topic.split('.').any(|word| matches!(word, "*" | ">")) { Err(TopicError::Wildcard) } else { Ok(()) }
}

/// Checks a subscription filter: a topic in which `*` matches one word, and a final `>` one or more.
///
/// # Errors
///
/// It is not a filter.
pub fn check_filter(filter: &str) -> Result<(), TopicError> {
    check_words(filter)?;
    let before_last = filter.rsplit('.').skip(1);
    if before_last.into_iter().any(|word| word == ">") { Err(TopicError::Wildcard) } else { Ok(()) }
}

fn check_words(text: &str) -> Result<(), TopicError> {
    if text.is_empty() || text.len() > MAX_TOPIC {
        return Err(TopicError::Length);
    }
    if text.split('.').any(str::is_empty) {
        return Err(TopicError::EmptyWord);
    }
    if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        return Err(TopicError::Character);
    }
    Ok(())
}

/// Returns whether `topic` is a reply inbox of NATS clients, such as `_INBOX.x.1`.
pub fn is_inbox(topic: &str) -> bool {
    let first = topic.split('.').next().unwrap_or_default();
    first.starts_with("_INBOX") || matches!(first, "_R_" | "_GR_")
}

/// Returns whether `filter` matches `topic`.
pub fn matches(filter: &str, topic: &str) -> bool {
    let mut words = topic.split('.');
    for wanted in filter.split('.') {
        match (wanted, words.next()) {
            (">", Some(_)) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(word)) if wanted == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_on_nats() {
        for (filter, topic) in
            [("a", "a"), ("a.*", "a.b"), ("*.b", "a.b"), ("a.>", "a.b"), ("a.>", "a.b.c"), (">", "a")]
        {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in
            [("a", "b"), ("a", "a.b"), ("a.*", "a"), ("a.*", "a.b.c"), ("a.>", "a"), ("a.b", "a"), ("a*", "ab")]
        {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }

    #[test]
    fn what_nats_would_refuse_is_refused() {
        for (text, error) in [
            ("", TopicError::Length),
            (".", TopicError::EmptyWord),
            ("a..b", TopicError::EmptyWord),
            ("a.", TopicError::EmptyWord),
            ("a b", TopicError::Character),
            ("a\0b", TopicError::Character),
            ("a\r\nb", TopicError::Character),
        ] {
            assert_eq!(check_topic(text), Err(error), "{text:?}");
            assert_eq!(check_filter(text), Err(error), "{text:?}");
        }
        assert_eq!(check_topic("a.*"), Err(TopicError::Wildcard));
        assert_eq!(check_topic("a.>"), Err(TopicError::Wildcard));
        assert_eq!(check_filter("a.>.b"), Err(TopicError::Wildcard));
        assert_eq!(check_filter("*.a.>"), Ok(()));
        assert_eq!(check_topic(&"a".repeat(MAX_TOPIC)), Ok(()));
        assert_eq!(check_topic(&"a".repeat(MAX_TOPIC + 1)), Err(TopicError::Length));
    }
}
