//! The server's clock, by which the lifetimes of entries end. That of this machine may differ.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use tempo_keyvalue::Result;

use super::bucket::Bucket;
use crate::connection::Connection;
use crate::error::NatsError;

/// How long a time of the server is extrapolated by the steady clock of this machine.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The last time that the server reported, with the moment of the report.
#[derive(Default)]
pub(super) struct ServerClock {
    last: Mutex<Option<(SystemTime, Instant)>>,
}

impl ServerClock {
    /// Returns the time by the server's clock, accurate to half a round trip. Asks the server at most once a minute.
    pub(super) async fn now(&self, connection: &Connection, bucket: &Bucket) -> Result<SystemTime> {
        if let Some(now) = self.extrapolate() {
            return Ok(now);
        }
        let sent = Instant::now();
        let subject = format!("STREAM.INFO.{}", bucket.stream().cached_info().config.name);
        let request = connection.jetstream().request::<_, _, Value>(subject, &());
        let info = connection.request(request).await.map_err(NatsError::from)?;
        let info = info.map_err(NatsError::from)?;
        let time = info.get("ts").and_then(Value::as_str).and_then(|time| humantime::parse_rfc3339(time).ok());
        let time = time.ok_or(NatsError::Other)?;
        let received = sent.checked_add(sent.elapsed() / 2).unwrap_or(sent);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((time, received));
        Ok(self.extrapolate().unwrap_or(time))
    }

    fn extrapolate(&self) -> Option<SystemTime> {
        let (time, received) = (*self.last.lock().unwrap_or_else(PoisonError::into_inner))?;
        let age = Some(received.elapsed()).filter(|age| *age < MAX_AGE)?;
        time.checked_add(age)
    }
}
