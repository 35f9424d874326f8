//! `--subscribe` and `[[subscribe]]`: parses subscriptions.

use std::ops::RangeInclusive;
use std::time::Duration;

use tempo_backend::APP;
use tempo_settings::{DEFAULT_NAME, Error, Flag, FlagValue as _, Settings, Value};

use crate::{Owner, Subscription, topic};

pub(super) const SUBSCRIBE: Flag = Flag::new(
    "subscribe",
    "[NAME=]TOPIC[;KEY=VALUE]...",
    "A topic whose messages the component handles, with wildcards: `orders.>`. Options: consumer, max-in-flight, \
     max-deliver, backoff (1s/5s/30s), ack-wait, dead-letter, ordered",
)
.with_options("topic")
.options(OPTIONS)
.checked_by(|text| parse(text).map(drop));

/// The options of a subscription, with their placeholders.
const OPTIONS: &[(&str, &str)] = &[
    ("consumer", "NAME"),
    ("max-in-flight", "N"),
    ("max-deliver", "N"),
    ("backoff", "TIME[/TIME]..."),
    ("ack-wait", "TIME"),
    ("dead-letter", "NAME"),
    ("ordered", "BOOL"),
];

pub(super) const CONSUMER: Flag = Flag::new(
    "consumer",
    "NAME",
    "The consumer of subscriptions that name none; replicas share one [default: the component's name, after that of --app]",
)
.checked_by(|text| is_name(text).then_some(()).ok_or_else(|| EXPECTED_NAME.to_owned()));

/// The expected form of a consumer's name.
const EXPECTED_NAME: &str = "expected 1 to 64 letters, digits, `-` and `_`";

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Allowed `ack-wait`.
const ACK_WAIT: RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
/// Maximum pause before a retry.
const MAX_BACKOFF: Duration = DAY;
/// Maximum pauses in `backoff`.
const MAX_BACKOFF_PAUSES: usize = 32;
const IN_FLIGHT: RangeInclusive<usize> = 1..=10_000;
const ATTEMPTS: RangeInclusive<usize> = 1..=10_000;

/// A subscription to a named broker.
pub(super) struct Subscribed {
    /// Name of the broker.
    pub(super) client: String,
    pub(super) subscription: Subscription,
    /// The first value that configured it.
    value: Value,
}

impl Subscribed {
    /// An error about this subscription.
    pub(super) fn invalid(&self, problem: &str) -> Error {
        self.value.invalid(&SUBSCRIBE, problem)
    }

    /// The error of a broker that is not configured.
    pub(super) fn no_broker(&self) -> Error {
        self.invalid("no broker of that name is configured; give it with --messaging NAME=URL")
    }
}

/// Reads the subscriptions of `component`: one per consumer, with all of its topics.
///
/// # Errors
///
/// A value is invalid, or two values conflict for one consumer.
pub(super) fn read(settings: &Settings, component: &str) -> Result<Vec<Subscribed>, Error> {
    let app = name(settings, &APP)?;
    let owner = Owner::new(app, component);
    let usual = name(settings, &CONSUMER)?.unwrap_or_else(|| owner.consumer());
    let mut known: Vec<(Subscribed, Options)> = Vec::new();
    for value in settings.raw_values(&SUBSCRIBE) {
        let invalid = |problem: String| value.invalid(&SUBSCRIBE, &problem);
        let ParsedSubscription { client, topic, options } = parse(&value.text).map_err(invalid)?;
        let consumer = options.consumer.clone().unwrap_or_else(|| usual.clone());
        if !is_name(&consumer) {
            let problem = "the component's name cannot be a consumer's, which has 1 to 64 letters, digits, `-` and `_`; \
                           name one with --consumer";
            return Err(invalid(problem.to_owned()));
        }
        let same =
            |(other, _): &&mut (Subscribed, Options)| other.client == client && other.subscription.consumer == consumer;
        match known.iter_mut().find(same) {
            Some((subscribed, merged)) => {
                merged.merge(options).map_err(invalid)?;
                if !subscribed.subscription.topics.contains(&topic) {
                    subscribed.subscription.topics.push(topic);
                }
            }
            None => {
                let subscription = Subscription::new(consumer, vec![topic]).with_owner(owner.clone());
                known.push((Subscribed { client, subscription, value: value.clone() }, options));
            }
        }
    }
    let finished = known.into_iter().map(|(mut subscribed, options)| {
        options.apply(&mut subscribed.subscription);
        subscribed
    });
    Ok(finished.collect())
}

/// Returns `[NAME=]TOPIC` of a value, without its options.
pub(super) fn topic_of(value: &Value) -> &str {
    SUBSCRIBE.form.name_of(&value.text)
}

/// One parsed value.
struct ParsedSubscription {
    client: String,
    topic: String,
    options: Options,
}

/// Parses `[NAME=]TOPIC[;KEY=VALUE]...`.
fn parse(text: &str) -> Result<ParsedSubscription, String> {
    let mut parts = text.split(';');
    let head = parts.next().unwrap_or_default();
    let (client, topic) = head.split_once('=').unwrap_or((DEFAULT_NAME, head));
    if client.is_empty() {
        return Err("the name before `=` is empty".to_owned());
    }
    topic::check_filter(topic).map_err(|error| format!("this is no topic: {error}"))?;
    let mut options = Options::default();
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, "true"));
        options.read(key, value)?;
    }
    Ok(ParsedSubscription { client: client.to_owned(), topic: topic.to_owned(), options })
}

/// Options of a consumer.
#[derive(Default)]
struct Options {
    consumer: Option<String>,
    max_in_flight: Option<usize>,
    max_deliver: Option<u32>,
    backoff: Option<Vec<Duration>>,
    ack_wait: Option<Duration>,
    dead_letter: Option<String>,
    ordered: Option<bool>,
}

impl Options {
    fn read(&mut self, key: &str, text: &str) -> Result<(), String> {
        let name = || is_name(text).then(|| text.to_owned());
        let named = "1 to 64 letters, digits, `-` and `_`";
        match key {
            "consumer" => set_option(&mut self.consumer, key, name(), named),
            "dead-letter" => set_option(&mut self.dead_letter, key, name(), named),
            "max-in-flight" => {
                set_option(&mut self.max_in_flight, key, number(text, IN_FLIGHT), "a number from 1 to 10000")
            }
            "max-deliver" => {
                let attempts = number(text, ATTEMPTS).and_then(|attempts| u32::try_from(attempts).ok());
                set_option(&mut self.max_deliver, key, attempts, "a number from 1 to 10000")
            }
            "backoff" => {
                set_option(&mut self.backoff, key, pauses(text), "up to 32 times like 1s/5s/30s, none above a day")
            }
            "ack-wait" => {
                let wait = Duration::parse(text).filter(|wait| ACK_WAIT.contains(wait));
                set_option(&mut self.ack_wait, key, wait, "a time from 100ms to a day, such as 30s")
            }
            "ordered" => set_option(&mut self.ordered, key, bool::parse(text), bool::EXPECTED),
            _ => Err("no such option; there are consumer, max-in-flight, max-deliver, backoff, ack-wait, dead-letter \
                      and ordered"
                .to_owned()),
        }
    }

    /// Merges the options of another value for the same consumer.
    fn merge(&mut self, other: Self) -> Result<(), String> {
        let Self { consumer: _, max_in_flight, max_deliver, backoff, ack_wait, dead_letter, ordered } = other;
        set_once(&mut self.max_in_flight, "max-in-flight", max_in_flight)?;
        set_once(&mut self.max_deliver, "max-deliver", max_deliver)?;
        set_once(&mut self.backoff, "backoff", backoff)?;
        set_once(&mut self.ack_wait, "ack-wait", ack_wait)?;
        set_once(&mut self.dead_letter, "dead-letter", dead_letter)?;
        set_once(&mut self.ordered, "ordered", ordered)
    }

    fn apply(self, subscription: &mut Subscription) {
        let Self { consumer: _, max_in_flight, max_deliver, backoff, ack_wait, dead_letter, ordered } = self;
        subscription.max_in_flight = max_in_flight.unwrap_or(subscription.max_in_flight);
        subscription.max_deliver = max_deliver.unwrap_or(subscription.max_deliver);
        subscription.ack_wait = ack_wait.unwrap_or(subscription.ack_wait);
        subscription.ordered = ordered.unwrap_or(subscription.ordered);
        subscription.dead_letter = dead_letter;
        if let Some(backoff) = backoff {
            subscription.backoff = backoff;
        }
    }
}

fn set_option<V: PartialEq>(slot: &mut Option<V>, key: &str, value: Option<V>, expected: &str) -> Result<(), String> {
    let value = value.ok_or_else(|| format!("{key}: expected {expected}"))?;
    set_once(slot, key, Some(value))
}

fn set_once<V: PartialEq>(slot: &mut Option<V>, key: &str, value: Option<V>) -> Result<(), String> {
    let Some(value) = value else { return Ok(()) };
    if slot.as_ref().is_some_and(|known| *known != value) {
        return Err(format!("{key}: the consumer was given another value already"));
    }
    *slot = Some(value);
    Ok(())
}

fn number(text: &str, range: RangeInclusive<usize>) -> Option<usize> {
    text.parse().ok().filter(|number| range.contains(number))
}

fn pauses(text: &str) -> Option<Vec<Duration>> {
    let pauses: Vec<Duration> = text.split('/').map(Duration::parse).collect::<Option<_>>()?;
    let bounded = pauses.len() <= MAX_BACKOFF_PAUSES && pauses.iter().all(|pause| *pause <= MAX_BACKOFF);
    bounded.then_some(pauses)
}

fn name(settings: &Settings, flag: &Flag) -> Result<Option<String>, Error> {
    let name = settings.get::<String>(flag)?;
    if name.as_ref().is_some_and(|name| !is_name(name)) {
        return Err(settings.invalid(flag, EXPECTED_NAME));
    }
    Ok(name)
}

/// Returns whether `text` is a valid consumer name.
pub(crate) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use tempo_settings::{ErrorKind, ValueSource};

    use super::*;

    fn subscriptions(texts: &[&str]) -> Result<Vec<Subscribed>, Error> {
        let mut settings = Settings::default();
        let value = |text: &&str| Value { text: (*text).to_owned(), source: ValueSource::CommandLine };
        settings.set(&SUBSCRIBE, texts.iter().map(value).collect());
        read(&settings, "worker")
    }

    fn error(texts: &[&str]) -> String {
        let error = subscriptions(texts).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Usage);
        error.to_string()
    }

    #[test]
    fn topics_without_options_are_one_subscription() {
        let found = subscriptions(&["orders.>", "billing.*", "orders.>"]).unwrap();
        let [subscribed] = found.as_slice() else { panic!("not one") };
        assert_eq!(subscribed.client, "default");
        let topics = ["orders.>", "billing.*"].map(str::to_owned).to_vec();
        let owner = Some(Owner::new(None, "worker"));
        assert_eq!(subscribed.subscription, Subscription::new("worker", topics).with_owner(owner));
    }

    #[test]
    fn a_consumer_or_a_broker_of_its_own_is_another_subscription() {
        let found = subscriptions(&["a", "b;consumer=mine", "events=c", "d;consumer=mine"]).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|Subscribed { client, subscription, .. }| {
                (client.as_str(), subscription.consumer.as_str(), subscription.topics.join(" "))
            })
            .collect();
        let expected = [("default", "worker", "a"), ("default", "mine", "b d"), ("events", "worker", "c")];
        assert_eq!(shown, expected.map(|(client, consumer, topics)| (client, consumer, topics.to_owned())));
    }

    #[test]
    fn a_consumer_is_named_by_app_and_component_unless_the_user_says_otherwise() {
        let named = |pairs: &[(&Flag, &str)]| {
            let mut settings = Settings::default();
            for (flag, text) in [(&SUBSCRIBE, "a")].iter().chain(pairs) {
                settings.set(flag, vec![Value { text: (*text).to_owned(), source: ValueSource::CommandLine }]);
            }
            let read = read(&settings, "worker").map_err(|error| error.to_string())?;
            let Subscription { consumer, owner, .. } = read.into_iter().next().unwrap().subscription;
            Ok::<_, String>((consumer, owner.unwrap().to_string()))
        };
        for (pairs, consumer, owner) in [
            (&[][..], "worker", "component worker"),
            (&[(&APP, "shop")], "shop-worker", "component worker of app shop"),
            (&[(&CONSUMER, "mine")], "mine", "component worker"),
            (&[(&APP, "shop"), (&CONSUMER, "mine")], "mine", "component worker of app shop"),
            (&[(&CONSUMER, "mine"), (&SUBSCRIBE, "a;consumer=own")], "own", "component worker"),
        ] {
            assert_eq!(named(pairs), Ok((consumer.to_owned(), owner.to_owned())));
        }
        for flag in [&APP, &CONSUMER] {
            let expected = format!("--{}: expected 1 to 64 letters, digits, `-` and `_`", flag.name);
            assert_eq!(named(&[(flag, "a.b")]), Err(expected));
        }
        assert!(named(&[(&APP, &"a".repeat(58))]).unwrap_err().ends_with("name one with --consumer"));
        assert!(named(&[(&APP, &"a".repeat(57))]).is_ok());
    }

    #[test]
    fn options_are_what_they_say() {
        let text = "a;max-in-flight=8;max-deliver=2;backoff=1s/2m;ack-wait=5s;dead-letter=GRAVE;ordered";
        let found = subscriptions(&[text, "b"]).unwrap();
        let expected = Subscription::new("worker", vec!["a".to_owned(), "b".to_owned()])
            .with_max_in_flight(8)
            .with_max_deliver(2)
            .with_backoff(vec![Duration::from_secs(1), Duration::from_secs(120)])
            .with_ack_wait(Duration::from_secs(5))
            .with_dead_letter("GRAVE".to_owned())
            .with_ordered(true)
            .with_owner(Owner::new(None, "worker"));
        assert_eq!(found[0].subscription, expected);
    }

    #[test]
    fn the_options_are_known() {
        let unknown = error(&["a;unknown"]);
        for (option, _) in OPTIONS {
            assert!(unknown.contains(option), "{option}");
            assert!(!error(&[&format!("a;{option}=;unknown")]).is_empty());
        }
        assert_eq!(
            unknown.split("there are").nth(1).unwrap().split([',', ' ']).filter(|word| word.len() > 3).count(),
            OPTIONS.len()
        );
    }

    #[test]
    fn options_at_the_edge() {
        for (option, fits) in [
            ("max-in-flight=0", false),
            ("max-in-flight=1", true),
            ("max-in-flight=10000", true),
            ("max-in-flight=10001", false),
            ("max-deliver=0", false),
            ("max-deliver=1", true),
            ("max-deliver=10000", true),
            ("max-deliver=10001", false),
            ("ack-wait=99ms", false),
            ("ack-wait=100ms", true),
            ("ack-wait=24h", true),
            ("ack-wait=24h 1ms", false),
            ("backoff=24h", true),
            ("backoff=24h 1ms", false),
            ("backoff=", false),
            ("backoff=1s/", false),
        ] {
            assert_eq!(subscriptions(&[&format!("a;{option}")]).is_ok(), fits, "{option}");
        }
        for (count, fits) in [(31, true), (32, true), (33, false)] {
            let backoff = vec!["1s"; count].join("/");
            assert_eq!(subscriptions(&[&format!("a;backoff={backoff}")]).is_ok(), fits, "{count}");
        }
        for (length, fits) in [(0, false), (1, true), (63, true), (64, true), (65, false)] {
            assert_eq!(subscriptions(&[&format!("a;consumer={}", "c".repeat(length))]).is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn mistakes_are_named_and_not_shown() {
        let no_topic = "--subscribe: this is no topic: ";
        assert_eq!(error(&[""]), format!("{no_topic}it must have 1 to 255 bytes"));
        assert_eq!(error(&["s3cret..b"]), format!("{no_topic}a word between dots is empty"));
        assert_eq!(error(&["=a"]), "--subscribe: the name before `=` is empty");
        assert_eq!(error(&["a;ordered=maybe"]), "--subscribe: ordered: expected true or false");
        assert!(error(&["a;s3cret=1"]).starts_with("--subscribe: no such option; there are consumer, max-in-flight,"));
        let twice = "--subscribe: ordered: the consumer was given another value already";
        assert_eq!(error(&["a;ordered", "b;ordered=false"]), twice);
        assert_eq!(error(&["a;ordered=true;ordered=false"]), twice);
        assert!(subscriptions(&["a;ordered", "b;ordered"]).is_ok());
    }

    #[test]
    fn a_component_whose_name_is_no_consumer_needs_one() {
        let mut settings = Settings::default();
        let set = |settings: &mut Settings, text: &str| {
            settings.set(&SUBSCRIBE, vec![Value { text: text.to_owned(), source: ValueSource::CommandLine }]);
        };
        set(&mut settings, "a");
        assert!(read(&settings, "my.worker").err().unwrap().to_string().ends_with("name one with --consumer"));
        set(&mut settings, "a;consumer=my-worker");
        assert!(read(&settings, "my.worker").is_ok());
    }
}
