//! Handling options of a consumer. A broker only stores them, so that changes between starts and disagreeing programs
//! are reported.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Subscription;

/// Maximum pauses in a record; subscriptions have fewer.
const MAX_PAUSES: usize = 32;

/// Options of a subscription that each program applies itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Handling {
    /// Maximum concurrent messages per program.
    pub max_in_flight: usize,
    /// Maximum deliveries before a message becomes a dead letter.
    pub max_deliver: u32,
    /// Pauses before the second delivery, the third and so on.
    pub backoff: Vec<Duration>,
    /// The dead-letter stream. `None`: the broker's default.
    pub dead_letter: Option<String>,
}

impl Handling {
    /// Takes the options of `subscription`.
    pub fn new(subscription: &Subscription) -> Self {
        let Subscription { max_in_flight, max_deliver, backoff, dead_letter, .. } = subscription;
        let (backoff, dead_letter) = (backoff.clone(), dead_letter.clone());
        Self { max_in_flight: *max_in_flight, max_deliver: *max_deliver, backoff, dead_letter }
    }

    /// The options as text, by their names in settings.
    pub fn properties(&self) -> [(&'static str, Option<String>); 4] {
        let pauses: Vec<String> =
            self.backoff.iter().map(|pause| humantime::format_duration(*pause).to_string().replace(' ', "")).collect();
        [
            ("max-in-flight", Some(self.max_in_flight.to_string())),
            ("max-deliver", Some(self.max_deliver.to_string())),
            ("backoff", Some(pauses.join("/"))),
            ("dead-letter", self.dead_letter.clone()),
        ]
    }

    /// Parses [`properties`](Self::properties). `None` if one is missing or invalid.
    pub fn from_properties(property: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let backoff = property("backoff")?;
        let pauses = backoff.split('/').take(MAX_PAUSES.saturating_add(1));
        let backoff: Vec<Duration> =
            pauses.map(|pause| humantime::parse_duration(pause).ok()).collect::<Option<_>>()?;
        (backoff.len() <= MAX_PAUSES).then_some(())?;
        Some(Self {
            max_in_flight: property("max-in-flight")?.parse().ok()?,
            max_deliver: property("max-deliver")?.parse().ok()?,
            backoff,
            dead_letter: property("dead-letter"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, Option<String>)]) -> Option<Handling> {
        Handling::from_properties(|name| properties.iter().find(|(other, _)| *other == name)?.1.clone())
    }

    #[test]
    fn there_and_back() {
        let usual = Handling::new(&Subscription::new("c", vec!["a".to_owned()]));
        let backoff = [0, 1, 1_500, 90_061_001].map(Duration::from_millis).to_vec();
        let other = Handling { backoff, dead_letter: Some("GRAVE".to_owned()), ..usual.clone() };
        let longest = Handling { backoff: vec![Duration::from_secs(1); MAX_PAUSES], ..usual.clone() };
        for handling in [usual, other, longest] {
            assert_eq!(read(&handling.properties()), Some(handling));
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let handling = Handling::new(&Subscription::new("c", vec!["a".to_owned()]));
        for (index, text) in
            [(0, Some("-1")), (1, Some("x")), (2, Some("1s/")), (2, Some("")), (0, None), (1, None), (2, None)]
        {
            let mut properties = handling.properties();
            properties[index].1 = text.map(str::to_owned);
            assert_eq!(read(&properties), None, "{index} {text:?}");
        }
        let mut properties = handling.properties();
        properties[2].1 = Some(vec!["1s"; MAX_PAUSES + 1].join("/"));
        assert_eq!(read(&properties), None);
    }
}
