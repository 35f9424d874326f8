//! Configuration that tells how long it takes to answer.

use std::sync::Arc;

use async_trait::async_trait;
use tempo_telemetry::Telemetry;

use crate::{Configuration, Error};

/// Tells of the calls to the configuration within it.
struct Told {
    configuration: Arc<dyn Configuration>,
    telemetry: Telemetry,
}

/// `configuration`, so that it tells how long it takes to answer.
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
        let call = self.telemetry.host_call("config", "get");
        let result = self.configuration.get(key).await;
        call.end(result.as_ref().err().map(word));
        result
    }

    async fn get_all(&self) -> Result<Vec<(String, String)>, Error> {
        let call = self.telemetry.host_call("config", "get-all");
        let result = self.configuration.get_all().await;
        call.end(result.as_ref().err().map(word));
        result
    }
}
