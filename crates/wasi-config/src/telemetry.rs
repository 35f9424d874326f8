//! Configuration that tells how often it is asked.

use std::sync::Arc;

use async_trait::async_trait;
use tempo_core::telemetry::Telemetry;

use crate::{Configuration, Error};

/// Tells of the calls to the configuration within it.
struct Told {
    configuration: Arc<dyn Configuration>,
    telemetry: Telemetry,
}

/// `configuration`, so that it tells how often it is asked.
pub(crate) fn told(telemetry: &Telemetry, configuration: Arc<dyn Configuration>) -> Arc<dyn Configuration> {
    if !telemetry.is_on() {
        return configuration;
    }
    Arc::new(Told { configuration, telemetry: telemetry.clone() })
}

fn word(error: &Error) -> &'static str {
    match error {
        Error::Upstream(_) => "upstream",
        Error::Io(_) => "io",
    }
}

#[async_trait]
impl Configuration for Told {
    async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let result = self.configuration.get(key).await;
        self.telemetry.called("config", "get", result.as_ref().err().map(word));
        result
    }

    async fn get_all(&self) -> Result<Vec<(String, String)>, Error> {
        let result = self.configuration.get_all().await;
        self.telemetry.called("config", "get-all", result.as_ref().err().map(word));
        result
    }
}
