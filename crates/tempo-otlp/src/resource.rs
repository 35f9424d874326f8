//! The resource: what all that a process tells has in common.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;

use crate::encode;

pub(crate) const INSTANCE_ID: &str = "service.instance.id";
pub(crate) const SDK_NAME: &str = "telemetry.sdk.name";
pub(crate) const SDK: &str = env!("CARGO_PKG_NAME");

/// The attributes that the host gives its resource. Guests may add others.
#[derive(Clone, Debug)]
pub(crate) struct Attributes(Vec<KeyValue>);

impl Attributes {
    /// `given` by the operator; the rest by what runs. What the operator says comes first.
    pub(crate) fn new(given: Vec<KeyValue>, component: &str, (name, version): (&str, &str)) -> Self {
        let mut all = given;
        let own = [
            ("service.name", component.to_owned()),
            (INSTANCE_ID, INSTANCE.clone()),
            ("process.runtime.name", name.to_owned()),
            ("process.runtime.version", version.to_owned()),
        ];
        for (key, value) in own {
            if !all.iter().any(|pair| pair.key.as_str() == key) {
                all.push(KeyValue::new(key, value));
            }
        }
        // These say who wrote the telemetry, which nobody else can know.
        all.retain(|pair| !pair.key.as_str().starts_with("telemetry.sdk."));
        all.push(KeyValue::new(SDK_NAME, SDK));
        all.push(KeyValue::new("telemetry.sdk.language", "rust"));
        all.push(KeyValue::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")));
        Self(all)
    }

    /// As fields of a `Resource`, to which others can be appended.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for pair in &self.0 {
            encode::attribute(&mut out, 1, pair.key.as_str(), &pair.value);
        }
        out
    }

    /// Whether no guest may say what `key` is.
    pub(crate) fn reserves(&self, key: &str) -> bool {
        key.starts_with("telemetry.") || key.starts_with("tempo.") || self.0.iter().any(|pair| pair.key.as_str() == key)
    }

    /// For the SDK's readers of metrics.
    pub(crate) fn to_sdk(&self) -> Resource {
        Resource::builder_empty().with_attributes(self.0.iter().cloned()).build()
    }

    /// The value of `key`.
    #[cfg(test)]
    pub(crate) fn get(&self, key: &str) -> Option<&opentelemetry::Value> {
        self.0.iter().find(|pair| pair.key.as_str() == key).map(|pair| &pair.value)
    }
}

/// The `service.instance.id` of this process: a random UUID (version 4, RFC 9562), which is what the conventions advise.
pub(crate) static INSTANCE: LazyLock<String> = LazyLock::new(|| {
    let random = fastrand::u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{random:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_says_what_the_service_is_and_the_host_says_what_it_runs_on() {
        let given = vec![KeyValue::new("service.name", "shop"), KeyValue::new("telemetry.sdk.name", "other")];
        let attributes = Attributes::new(given, "component", ("tempo", "1"));
        let text = |key: &str| attributes.get(key).map(|value| value.as_str().into_owned());
        assert_eq!(text("service.name").as_deref(), Some("shop"));
        assert_eq!(text("telemetry.sdk.name").as_deref(), Some("tempo-otlp"));
        assert_eq!(text("process.runtime.name").as_deref(), Some("tempo"));
        let id = text("service.instance.id").unwrap();
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
        assert!(attributes.reserves("service.name") && attributes.reserves("tempo.x"));
        assert!(!attributes.reserves("service.namespace"));
    }
}
