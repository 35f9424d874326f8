//! The resource of all telemetry of a process.

use std::sync::LazyLock;

use opentelemetry::KeyValue;
use opentelemetry_proto::tonic::resource::v1;
use opentelemetry_proto::transform::common::tonic as transform;
use opentelemetry_sdk::Resource;
use prost::Message as _;

/// The attribute of a resource with the random ID of its process: see [`instance_id`].
pub const INSTANCE_ID: &str = "service.instance.id";
/// The attribute of a resource with the name of the telemetry library.
pub const SDK_NAME: &str = "telemetry.sdk.name";
/// The value of [`SDK_NAME`] of Tempo's runtimes.
pub const SDK: &str = env!("CARGO_PKG_NAME");

/// Attributes of the host's resource. Guests may add others.
#[derive(Clone, Debug)]
pub(crate) struct Attributes(Vec<KeyValue>);

impl Attributes {
    /// Combines the operator's attributes with those of the process. The operator's take precedence.
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
        // These identify the telemetry library, so they cannot be overridden.
        all.retain(|pair| !pair.key.as_str().starts_with("telemetry.sdk."));
        all.push(KeyValue::new(SDK_NAME, SDK));
        all.push(KeyValue::new("telemetry.sdk.language", "rust"));
        all.push(KeyValue::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")));
        Self(all)
    }

    /// Encodes the attributes as fields of a `Resource`, to which others can be appended.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let attributes = transform::Attributes::from(self.0.iter().cloned()).0;
        v1::Resource { attributes, ..v1::Resource::default() }.encode_to_vec()
    }

    /// Returns whether guests may not set `key`.
    pub(crate) fn reserves(&self, key: &str) -> bool {
        key.starts_with("telemetry.") || key.starts_with("tempo.") || self.0.iter().any(|pair| pair.key.as_str() == key)
    }

    /// Converts to the SDK's resource.
    pub(crate) fn to_sdk(&self) -> Resource {
        Resource::builder_empty().with_attributes(self.0.iter().cloned()).build()
    }

    /// Returns the value of `key`.
    #[cfg(test)]
    pub(crate) fn get(&self, key: &str) -> Option<&opentelemetry::Value> {
        self.0.iter().find(|pair| pair.key.as_str() == key).map(|pair| &pair.value)
    }
}

/// Returns the [`INSTANCE_ID`] of this process: a random UUID (version 4, RFC 9562), as the conventions recommend.
pub fn instance_id() -> &'static str {
    &INSTANCE
}

static INSTANCE: LazyLock<String> = LazyLock::new(|| {
    let random = fastrand::u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{random:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    parts.join("-")
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_names_the_service_and_the_host_names_the_runtime() {
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
