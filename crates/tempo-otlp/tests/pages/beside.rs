//! A server beside the test.

use std::future::Future;

use crate::support::{PATIENCE, runtime};

/// Runs `work` while `server` runs.
pub(crate) fn beside<R>(server: impl Future<Output = ()> + Send + 'static, work: impl Future<Output = R>) -> R {
    runtime().block_on(async {
        let server = tokio::spawn(server);
        let result = tokio::time::timeout(PATIENCE, work).await.expect("in time");
        server.abort();
        result
    })
}
