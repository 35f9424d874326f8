//! The conformance checks of the embedded brokers, as named trials: `messaging::file::retries_are_redelivered`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Trial};
use tempo_messaging::testkit::{Capabilities, trials};
use tempo_messaging::{Broker, FileBroker, MemoryBroker};

fn memory() -> Vec<Trial> {
    let brokers: Mutex<HashMap<String, MemoryBroker>> = Mutex::default();
    let open = move |word: String| {
        let broker = brokers.lock().unwrap_or_else(PoisonError::into_inner).entry(word).or_default().clone();
        async move { Ok(Arc::new(broker) as Arc<dyn Broker>) }
    };
    trials("messaging::memory", open, &Capabilities::ALL)
}

fn file() -> anyhow::Result<Vec<Trial>> {
    let folder = tempfile::tempdir()?;
    let open = move |word: String| {
        let path = folder.path().join(word);
        async move { Ok(Arc::new(FileBroker::open(&path).await?) as Arc<dyn Broker>) }
    };
    Ok(trials("messaging::file", open, &Capabilities::ALL))
}

fn main() -> anyhow::Result<ExitCode> {
    let trials = [memory(), file()?].into_iter().flatten().collect();
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}
