//! Checks the subscriptions of an app before its components are compiled.

use tempo_core::{AppCheck, AppEdge, ComponentOutline};
use tempo_messaging::MESSAGING;
use tempo_settings::{BackendUrl, DEFAULT_NAME, Error, NamedUrl, Settings};

use super::subscribe::{self, SUBSCRIBE, Subscribed};
use crate::backends::{default_url, is_broker};

/// Reads the subscriptions of all components. Two components with one consumer of a broker are an error: each message would
/// reach only one of them.
pub(super) fn check(app: &[ComponentOutline<'_>]) -> AppCheck {
    let mut check = AppCheck::default();
    let mut known: Vec<(BackendUrl, String, &str)> = Vec::new();
    for component in app.iter().filter(|component| component.exports && component.settings.is_set(&SUBSCRIBE)) {
        check.reachable.push(component.name.to_owned());
        let topics = component.settings.raw_values(&SUBSCRIBE).iter();
        let label = |value| format!("subscribe {}", subscribe::topic_of(value));
        check.edges.extend(topics.map(|value| AppEdge::entry(label(value), component.name)));
        let subscribed = match subscribe::read(component.settings, component.name) {
            Ok(subscribed) => subscribed,
            Err(error) => {
                check.errors.push(error);
                continue;
            }
        };
        for subscribed in subscribed {
            if !is_broker(component.settings, &subscribed.client) {
                check.errors.push(subscribed.no_broker());
            }
            let Some(broker) = broker(component.settings, &subscribed.client) else { continue };
            check.errors.extend(conflict(&known, &broker, &subscribed));
            known.push((broker, subscribed.subscription.consumer.clone(), component.name));
        }
    }
    check.advice = Some("add subscribe = [\"TOPIC\"]");
    check
}

/// Returns the error if another component has the same consumer of `broker`.
fn conflict(known: &[(BackendUrl, String, &str)], broker: &BackendUrl, subscribed: &Subscribed) -> Option<Error> {
    let consumer = &subscribed.subscription.consumer;
    let (.., other) = known.iter().find(|(url, name, _)| url == broker && name == consumer)?;
    Some(subscribed.invalid(&format!(
        "the consumer {consumer} is that of {other}, so each message would reach only one of the two; name another consumer"
    )))
}

/// Returns the URL of the broker `name`. The start reports values that are no URLs.
fn broker(settings: &Settings, name: &str) -> Option<BackendUrl> {
    let named = settings.all::<NamedUrl>(&MESSAGING).ok()?;
    if named.is_empty() && name == DEFAULT_NAME {
        return default_url(settings).ok();
    }
    named.into_iter().find(|named| named.name == name).map(|named| named.url)
}

#[cfg(test)]
mod tests {
    use tempo_settings::{Flag, Value, ValueSource};

    use super::super::subscribe::CONSUMER;
    use super::*;

    fn settings(values: &[(&Flag, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (flag, text) in values {
            let source = ValueSource::SettingsFile { path: "tempo.toml".into(), line: 7 };
            settings.set(flag, vec![Value { text: (*text).to_owned(), source }]);
        }
        settings
    }

    fn checked(one: &[(&Flag, &str)], other: &[(&Flag, &str)]) -> AppCheck {
        let (one, other) = (settings(one), settings(other));
        check(&[ComponentOutline::new("one", &one, true), ComponentOutline::new("other", &other, true)])
    }

    #[test]
    fn components_do_not_share_a_consumer_of_a_broker() {
        let (memory, nats) = ((&MESSAGING, "memory:"), (&MESSAGING, "nats://h/s"));
        let mine = (&CONSUMER, "mine");
        let errors = |one: &[(&Flag, &str)], other: &[(&Flag, &str)]| {
            checked(one, other).errors.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let topic = (&SUBSCRIBE, "a");
        assert_eq!(errors(&[topic, memory, mine], &[topic, nats, mine]), [""; 0], "two brokers");
        assert_eq!(errors(&[topic, memory], &[topic, memory]), [""; 0], "two consumers");
        let found = errors(&[topic, memory, mine], &[(&SUBSCRIBE, "b"), memory, mine]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("subscribe: the consumer mine is that of one,"), "{found:?}");
        assert!(found[0].ends_with("(tempo.toml:7)"), "{found:?}");
    }

    #[test]
    fn subscriptions_are_entries_and_mistakes_are_listed() {
        let check = checked(&[(&SUBSCRIBE, "a;ordered")], &[(&SUBSCRIBE, "b;unknown")]);
        assert_eq!(check.edges, [AppEdge::entry("subscribe a", "one"), AppEdge::entry("subscribe b", "other")]);
        assert_eq!((check.errors.len(), check.reachable), (1, vec!["one".to_owned(), "other".to_owned()]));
    }
}
