//! The stored configuration of a consumer, and whether a subscription may take the consumer over: with its position,
//! after an update in place, or not at all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::handling::Handling;
use crate::printable;
use crate::{Subscription, topic};

mod handling;

/// The component that owns a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// The component's app, if it has a name.
    pub app: Option<String>,
    /// The component's name.
    pub component: String,
}

impl Owner {
    /// Creates the owner `component`, of `app` if it has a name.
    pub fn new(app: impl Into<Option<String>>, component: impl Into<String>) -> Self {
        Self { app: app.into(), component: component.into() }
    }

    /// The default name of its consumer.
    pub fn consumer(&self) -> String {
        match &self.app {
            Some(app) => format!("{app}-{}", self.component),
            None => self.component.clone(),
        }
    }

    /// Returns whether `later` is the same component, whose app may have been named since.
    fn is_same(&self, later: &Self) -> bool {
        self == later || (self.app.is_none() && self.component == later.component)
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "component {}", printable::line(&self.component))?;
        self.app.iter().try_for_each(|app| write!(f, " of app {}", printable::line(app)))
    }
}

/// The stored configuration of a consumer, without its position.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerConfig {
    /// The topics, with wildcards.
    pub topics: Vec<String>,
    /// How long a delivery may stay unacknowledged before redelivery.
    pub ack_wait: Duration,
    /// Whether messages of one key are handled in order, one at a time.
    pub ordered: bool,
    /// Handling options. `None` if not recorded.
    pub handling: Option<Handling>,
    /// The owner. `None` if not recorded: the next subscription takes the consumer over.
    pub owner: Option<Owner>,
}

/// Why a subscription may not take over a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The subscription lacks some of the consumer's topics, so messages would be skipped.
    Topics {
        /// The consumer's topics.
        kept: Vec<String>,
        /// The subscription's topics.
        wanted: Vec<String>,
    },
    /// Another component owns it, and this one uses its name only by default.
    Owner {
        /// The owner of the consumer.
        kept: Owner,
        /// The owner of the subscription.
        wanted: Owner,
    },
}

impl ConsumerConfig {
    /// The configuration of a new consumer of `subscription`.
    pub fn new(subscription: &Subscription) -> Self {
        let Subscription { topics, ack_wait, ordered, owner, .. } = subscription;
        let handling = Some(Handling::new(subscription));
        Self { topics: topics.clone(), ack_wait: *ack_wait, ordered: *ordered, handling, owner: owner.clone() }
    }

    /// The configuration of a stored consumer of which only the topics and the ack wait are known: unordered, with neither
    /// handling options nor an owner.
    pub fn recorded(topics: Vec<String>, ack_wait: Duration) -> Self {
        Self { topics, ack_wait, ordered: false, handling: None, owner: None }
    }

    /// Returns the configuration after `subscription` has taken over; equal to `self` if nothing changes.
    ///
    /// # Errors
    ///
    /// The subscription lacks some of the topics, or would share another component's consumer by accident.
    pub fn adopt(&self, subscription: &Subscription) -> Result<Self, Refusal> {
        let wanted = Self::new(subscription);
        if let (Some(kept), Some(wanted)) = (&self.owner, &wanted.owner)
            && !kept.is_same(wanted)
            && wanted.consumer() == subscription.consumer
        {
            return Err(Refusal::Owner { kept: kept.clone(), wanted: wanted.clone() });
        }
        if !topic::is_superset(&wanted.topics, &self.topics) {
            return Err(Refusal::Topics { kept: self.topics.clone(), wanted: wanted.topics });
        }
        // Equal sets of topics can be written in several ways.
        let same = topic::is_superset(&self.topics, &wanted.topics);
        let topics = if same { self.topics.clone() } else { wanted.topics };
        Ok(Self { topics, owner: wanted.owner.or_else(|| self.owner.clone()), ..wanted })
    }

    /// Returns whether the component of `subscription` created this consumer under an earlier name: with an earlier
    /// version, or before its app had a name.
    pub fn is_predecessor(&self, subscription: &Subscription) -> bool {
        let Some(wanted) = &subscription.owner else { return false };
        self.owner.as_ref().is_none_or(|kept| kept.is_same(wanted))
            && topic::is_superset(&subscription.topics, &self.topics)
    }

    /// Describes the differences of `other`: `ack-wait 30s is now 1m`. Empty if equal.
    pub fn changes(&self, other: &Self) -> String {
        let mut changes = Vec::new();
        let mut compare = |what: &str, old: String, new: String| {
            if old != new {
                changes.push(format!("{what} {old} is now {new}"));
            }
        };
        compare("topics", list(&self.topics), list(&other.topics));
        let wait = |config: &Self| humantime::format_duration(config.ack_wait).to_string();
        compare("ack-wait", wait(self), wait(other));
        compare("ordered", self.ordered.to_string(), other.ordered.to_string());
        if let (Some(old), Some(new)) = (&self.handling, &other.handling) {
            let text = |value: Option<String>| value.map_or("default".to_owned(), |text| printable::line(&text).into());
            for ((name, old), (_, new)) in old.properties().into_iter().zip(new.properties()) {
                compare(name, text(old), text(new));
            }
        }
        if let (Some(old), Some(new)) = (&self.owner, &other.owner) {
            compare("owner", old.to_string(), new.to_string());
        }
        changes.join(", ")
    }
}

/// How a subscription took over an existing consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Adoption {
    /// The consumer's name.
    pub name: String,
    /// The previous configuration.
    pub kept: ConsumerConfig,
    /// The current configuration.
    pub now: ConsumerConfig,
    /// Further warnings of the broker.
    pub warnings: Vec<String>,
}

impl Adoption {
    /// Creates the adoption of the consumer `name`, without warnings.
    pub fn new(name: impl Into<String>, kept: ConsumerConfig, now: ConsumerConfig) -> Self {
        Self { name: name.into(), kept, now, warnings: Vec::new() }
    }

    /// Sets the warnings of the broker.
    #[must_use]
    pub fn with_warnings(self, warnings: Vec<String>) -> Self {
        Self { warnings, ..self }
    }

    /// Logs the changes that `subscription` made to the consumer.
    pub fn log(&self, subscription: &Subscription) {
        let Self { name: consumer, kept, now, warnings } = self;
        if *consumer != subscription.consumer {
            let wanted = &subscription.consumer;
            tracing::info!(consumer, wanted, "adopted the consumer that was made before the app had a name");
        }
        let changes = kept.changes(now);
        if kept.owner.as_ref().zip(now.owner.as_ref()).is_some_and(|(kept, now)| !kept.is_same(now)) {
            tracing::warn!(consumer, changes, "took over the consumer of another component");
        } else if !changes.is_empty() {
            tracing::info!(consumer, changes, "updated the consumer");
        }
        for warning in warnings {
            tracing::warn!(consumer, "{warning}");
        }
    }
}

impl Subscription {
    /// The earlier name of the consumer: that of the component alone, if the app has a name.
    pub fn predecessor(&self) -> Option<&str> {
        let owner = self.owner.as_ref().filter(|owner| owner.app.is_some() && owner.consumer() == self.consumer)?;
        Some(&owner.component)
    }
}

impl Refusal {
    /// Explains the refusal to the user. `skipped`: how many messages would never be handled, if known.
    pub fn explain(&self, consumer: &str, skipped: Option<u64>) -> String {
        match self {
            Self::Topics { kept, wanted } => {
                let count = match skipped {
                    Some(1) => "1 message".to_owned(),
                    Some(count) => format!("{count} messages"),
                    None => "messages".to_owned(),
                };
                format!(
                    "the consumer {consumer} has the topics {}, and the subscription has {}: {count} would be skipped; \
                     correct the topics, name another consumer with --consumer, or see `tempo messages move --help`",
                    list(kept),
                    list(wanted)
                )
            }
            Self::Owner { kept, wanted } => format!(
                "the consumer {consumer} belongs to {kept}, and this is {wanted}; name another one with --consumer, or \
                 the app with --app, or see `tempo messages move --help`"
            ),
        }
    }
}

/// Joins topics for display.
pub fn list(topics: &[String]) -> String {
    printable::line(&topics.join(", ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(app: Option<&str>, component: &str) -> Option<Owner> {
        Some(Owner { app: app.map(str::to_owned), component: component.to_owned() })
    }

    fn subscription(consumer: &str, topics: &[&str], owner: Option<Owner>) -> Subscription {
        let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        Subscription { owner, ..Subscription::new(consumer, topics) }
    }

    #[test]
    fn the_same_topics_and_more_are_adopted_and_fewer_are_not() {
        let kept = ConsumerConfig::new(&subscription("c", &["a.*", "b"], None));
        let adopt = |topics: &[&str]| kept.adopt(&subscription("c", topics, None));
        assert_eq!(adopt(&["b", "a.*", "a.x"]), Ok(kept.clone()));
        for topics in [&["a.>", "b"][..], &[">"], &["a.*", "b", "c"]] {
            assert_eq!(adopt(topics).unwrap().topics, topics);
        }
        for topics in [&["a.*"][..], &["a.x", "b"], &["A.*", "b"], &["nothing"]] {
            let refusal = adopt(topics).unwrap_err();
            let text = refusal.explain("c", Some(7));
            let expected = format!("has the topics a.*, b, and the subscription has {}: 7 messages", topics.join(", "));
            assert!(text.contains(&expected), "{text}");
        }
    }

    #[test]
    fn options_are_updated_and_named() {
        let kept = ConsumerConfig::new(&subscription("c", &["a"], owner(None, "c")));
        let wanted = Subscription {
            ack_wait: Duration::from_secs(60),
            ordered: true,
            ..subscription("c", &["a", "b"], owner(None, "c"))
        };
        let adopted = kept.adopt(&wanted).unwrap();
        let changes = "topics a is now a, b, ack-wait 30s is now 1m, ordered false is now true";
        assert_eq!(kept.changes(&adopted), changes);
        assert_eq!(adopted.changes(&adopted), "");
        assert_eq!(adopted.adopt(&wanted), Ok(adopted.clone()));
    }

    #[test]
    fn options_that_each_program_follows_are_named_once_they_are_known() {
        let known = ConsumerConfig::new(&subscription("c", &["a"], None));
        let wanted = Subscription {
            max_in_flight: 8,
            max_deliver: 3,
            backoff: [1, 90].map(Duration::from_secs).to_vec(),
            dead_letter: Some("GRAVE".to_owned()),
            ..subscription("c", &["a"], None)
        };
        let adopted = known.adopt(&wanted).unwrap();
        let changes = "max-in-flight 32 is now 8, max-deliver 5 is now 3, backoff 1s/5s/30s/2m is now 1s/1m30s, \
                       dead-letter default is now GRAVE";
        assert_eq!(known.changes(&adopted), changes);
        // An earlier version did not record them.
        let unknown = ConsumerConfig { handling: None, ..known };
        let adopted = unknown.adopt(&wanted).unwrap();
        assert_eq!((unknown.changes(&adopted), adopted.handling), (String::new(), Some(Handling::new(&wanted))));
    }

    #[test]
    fn a_name_that_nobody_chose_is_one_component_s() {
        let kept = |owner| ConsumerConfig::new(&subscription("c", &["a"], owner));
        let adopt = |kept: ConsumerConfig, consumer: &str, owner| kept.adopt(&subscription(consumer, &["a"], owner));
        // Made before owners were recorded, or by an embedding that has none.
        assert_eq!(adopt(kept(None), "app", owner(None, "app")).unwrap().owner, owner(None, "app"));
        assert_eq!(adopt(kept(owner(None, "app")), "app", None).unwrap().owner, owner(None, "app"));
        // The app has a name now.
        assert_eq!(adopt(kept(owner(None, "b")), "a-b", owner(Some("a"), "b")).unwrap().owner, owner(Some("a"), "b"));
        // Another component's, by a name that was chosen for both.
        assert_eq!(adopt(kept(owner(None, "old")), "both", owner(None, "new")).unwrap().owner, owner(None, "new"));
        for (consumer, mine, other) in [
            ("app", owner(None, "app"), owner(None, "other")),
            ("app", owner(None, "app"), owner(Some("shop"), "app")),
            ("shop-app", owner(Some("shop"), "app"), owner(Some("other"), "app")),
            ("a-b-c", owner(Some("a"), "b-c"), owner(Some("a-b"), "c")),
        ] {
            let text = adopt(kept(other.clone()), consumer, mine).unwrap_err().explain(consumer, None);
            assert!(text.contains(&format!("belongs to {}", other.unwrap())), "{text}");
        }
    }

    #[test]
    fn an_app_finds_what_was_made_before_it_had_a_name() {
        let mine = owner(Some("shop"), "app");
        let subscription = |owner| subscription("shop-app", &["a"], owner);
        assert_eq!(subscription(mine.clone()).predecessor(), Some("app"));
        assert_eq!(subscription(owner(None, "shop-app")).predecessor(), None);
        assert_eq!(subscription(None).predecessor(), None);
        let found = |kept: Option<Owner>, topics: &[&str]| {
            let topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            let kept = ConsumerConfig { topics, owner: kept, ..ConsumerConfig::new(&subscription(None)) };
            kept.is_predecessor(&subscription(mine.clone()))
        };
        assert!(found(None, &["a"]) && found(owner(None, "app"), &["a"]) && found(mine.clone(), &["a"]));
        assert!(!found(owner(Some("other"), "app"), &["a"]) && !found(owner(None, "other"), &["a"]));
        assert!(!found(None, &["b"]), "it is of another component of that name");
    }
}
