//! `Instrumented`: records the duration and errors of calls to a `Configuration`.

use std::sync::Arc;

use async_trait::async_trait;
use tempo_telemetry::{HostCalls, Telemetry};

use crate::{Configuration, Error};

/// Wraps a `Configuration` and records its calls.
struct Instrumented {
    configuration: Arc<dyn Configuration>,
    calls: HostCalls,
}

/// Wraps `configuration`, unless telemetry is off.
pub(crate) fn instrument(telemetry: &Telemetry, configuration: Arc<dyn Configuration>) -> Arc<dyn Configuration> {
    if !telemetry.is_on() {
        return configuration;
    }
    Arc::new(Instrumented { configuration, calls: HostCalls::new(telemetry, "config") })
}

fn error_type(error: &Error) -> &'static str {
    match error {
        Error::Upstream(_) => "upstream",
        Error::Io(_) => "io",
    }
}

#[async_trait]
impl Configuration for Instrumented {
    async fn get(&self, key: &str) -> Result<Option<String>, Error> {
        let call = self.calls.begin("get");
        let result = self.configuration.get(key).await;
        call.end(result.as_ref().err().map(error_type));
        result
    }

    async fn get_all(&self) -> Result<Vec<(String, String)>, Error> {
        let call = self.calls.begin("get-all");
        let result = self.configuration.get_all().await;
        call.end(result.as_ref().err().map(error_type));
        result
    }
}
