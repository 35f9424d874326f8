//! `LimitHits`: counts the operations that a limit refused or ended.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Counter;

use crate::instruments::{ComponentMeter, Instruments};

pub(crate) struct LimitHits {
    hits: Counter<u64>,
    component: Vec<KeyValue>,
}

impl Instruments for LimitHits {
    fn register(meter: &ComponentMeter) -> Self {
        let hits = meter.counter("tempo.limit.hits", "{hit}", "How often a limit stopped something");
        Self { hits, component: meter.component().to_vec() }
    }
}

impl LimitHits {
    pub(crate) fn count(&self, limit: &'static str) {
        let mut attributes = self.component.clone();
        attributes.push(KeyValue::new("tempo.limit", limit));
        self.hits.add(1, &attributes);
    }
}
