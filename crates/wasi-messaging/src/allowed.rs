//! `--allow-topic`: restricts the topics that a component publishes and requests on.

use std::collections::BTreeMap;
use std::sync::Arc;

use tempo_settings::{DEFAULT_NAME, Disclosure, Error, Flag, Settings, Value};

use crate::topic;

pub(crate) const ALLOW_TOPIC: Flag = Flag::new(
    "allow-topic",
    "[NAME=]TOPIC",
    "A topic that the component may publish and request on, with wildcards: `orders.>` [default: every topic]",
)
.repeatable()
.grants(Disclosure::Whole);

/// The topics that a component may publish and request on, per broker. Default: all topics.
///
/// Topics that begin with `$` belong to the server and are never allowed, and inboxes only take answers.
#[derive(Clone, Debug, Default)]
pub struct AllowedTopics {
    /// Filters by broker name. A broker without filters has no topics.
    filters: Option<Arc<BTreeMap<String, Arc<[String]>>>>,
}

/// The topics of one broker.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    filters: Option<Arc<[String]>>,
}

impl AllowedTopics {
    /// Allows only the topics that match these filters, each with its broker's name.
    pub fn only<'a>(filters: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut brokers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, filter) in filters {
            brokers.entry(name.to_owned()).or_default().push(filter.to_owned());
        }
        let brokers = brokers.into_iter().map(|(name, filters)| (name, filters.into())).collect();
        Self { filters: Some(Arc::new(brokers)) }
    }

    /// Reads the flag. `is_broker` returns whether a broker name exists.
    ///
    /// # Errors
    ///
    /// A value is no topic or may not be allowed, or there is no broker of its name.
    pub(crate) fn from_settings(settings: &Settings, is_broker: impl Fn(&str) -> bool) -> Result<Self, Error> {
        if let Some(error) = Self::mistakes(settings, is_broker).next() {
            return Err(error);
        }
        let filters: Vec<_> = settings.raw_values(&ALLOW_TOPIC).iter().map(named_filter).collect();
        Ok(if filters.is_empty() { Self::default() } else { Self::only(filters) })
    }

    /// Finds the mistakes for which [`from_settings`](Self::from_settings) fails.
    pub(crate) fn mistakes(settings: &Settings, is_broker: impl Fn(&str) -> bool) -> impl Iterator<Item = Error> {
        settings.raw_values(&ALLOW_TOPIC).iter().filter_map(move |value| {
            let (name, filter) = named_filter(value);
            let unknown = || "no broker of that name is configured; give it with --messaging NAME=URL".to_owned();
            let checked = check(filter).and_then(|()| is_broker(name).then_some(()).ok_or_else(unknown));
            checked.err().map(|problem| value.invalid(&ALLOW_TOPIC, &problem))
        })
    }

    /// Returns the topics of the broker `name`.
    pub(crate) fn of(&self, name: &str) -> Allowed {
        let of = |filters: &Arc<BTreeMap<_, Arc<[String]>>>| filters.get(name).cloned().unwrap_or_default();
        Allowed { filters: self.filters.as_ref().map(of) }
    }
}

impl Allowed {
    /// Returns whether the component may send on `topic`.
    pub(crate) fn permits(&self, topic: &str) -> bool {
        let any = |filters: &Arc<[String]>| filters.iter().any(|filter| topic::matches(filter, topic));
        self.filters.as_ref().is_none_or(any)
    }
}

/// Returns the name of the broker and the filter of a value.
fn named_filter(value: &Value) -> (&str, &str) {
    value.text.split_once('=').unwrap_or((DEFAULT_NAME, &value.text))
}

fn check(filter: &str) -> Result<(), String> {
    topic::check_filter(filter).map_err(|error| format!("this is no topic: {error}"))?;
    if filter.starts_with('$') || topic::is_inbox(filter) {
        return Err("topics of servers (`$...`) and inboxes (`_INBOX...`) cannot be allowed".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempo_settings::ValueSource;

    use super::*;

    fn read(texts: &[&str]) -> Result<AllowedTopics, Error> {
        let mut settings = Settings::default();
        let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
        settings.set(&ALLOW_TOPIC, texts.iter().map(value).collect());
        AllowedTopics::from_settings(&settings, |name| ["default", "billing"].contains(&name))
    }

    #[test]
    fn without_the_flag_all_topics_are_allowed() {
        assert!(read(&[]).unwrap().of("default").permits("a.b"));
        assert!(AllowedTopics::default().of("billing").permits("a"));
    }

    #[test]
    fn with_it_nothing_else_is_for_any_broker() {
        let allowed = read(&["orders.>", "audit", "billing=invoices.*"]).unwrap();
        for (name, topic, permitted) in [
            ("default", "orders.new", true),
            ("default", "orders.new.eu", true),
            ("default", "audit", true),
            ("default", "orders", false),
            ("default", "invoices.1", false),
            ("billing", "invoices.1", true),
            ("billing", "invoices.1.2", false),
            ("billing", "orders.new", false),
            ("other", "orders.new", false),
        ] {
            assert_eq!(allowed.of(name).permits(topic), permitted, "{name} {topic}");
        }
    }

    #[test]
    fn mistakes_are_named_and_not_shown() {
        let error = |text: &str| read(&[text]).unwrap_err().to_string();
        assert!(error("s3cret..x").starts_with("--allow-topic: this is no topic: "));
        assert!(error("other=a").starts_with("--allow-topic: no broker of that name"));
        for reserved in ["$JS.>", "$>", "_INBOX.>", "_INBOX_ann.>", "_R_.x"] {
            assert!(error(reserved).contains("cannot be allowed"), "{reserved}");
        }
        assert!(read(&[">", "*.a", "billing=$"]).is_err() && read(&[">", "*.a"]).is_ok());
    }
}
