//! x
use std::sync::Arc; use crate::Store;
/// r
pub async fn run(_: Arc<dyn Store>) -> anyhow::Result<()> { Ok(()) }
