//! The model finds flaws: stores with a flaw fail.

use std::sync::Arc;

use tempo_backend::testkit::model::BackendOf;

use super::super::flawed::{Flaw, Flawed};
use super::*;
use crate::MemoryStore;

/// What is wrong with two stores.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// Both are one.
    Shared,
    /// Neither keeps its entries when it is opened again.
    Lost,
    Flawed(Flaw),
}

struct Two {
    wrong: Option<Wrong>,
    stores: [MemoryStore; 2],
}

#[async_trait]
impl SystemUnderTest for Two {
    type Model = KeyValueModel;

    async fn open(&mut self) -> Result<Vec<BackendOf<KeyValueModel>>> {
        if self.wrong == Some(Wrong::Lost) {
            self.stores = [(); 2].map(|()| MemoryStore::default());
        }
        let [one, other] = self.stores.clone();
        let other = if self.wrong == Some(Wrong::Shared) { one.clone() } else { other };
        let open = |inner| match self.wrong {
            Some(Wrong::Flawed(flaw)) => Arc::new(Flawed::new(flaw, inner)) as Arc<dyn KeyValueStore>,
            _ => Arc::new(inner),
        };
        Ok([one, other].map(open).to_vec())
    }
}

fn two(wrong: Option<Wrong>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    run(&runtime, 100, Just(()), |()| Two { wrong, stores: [(); 2].map(|()| MemoryStore::default()) })
}

#[test]
fn what_is_right_passes() {
    two(None).unwrap();
}

#[test]
fn every_flaw_is_found() {
    let flaws = [Flaw::IgnoresCase, Flaw::IgnoresAbsent, Flaw::ForgetsDeletes, Flaw::IncrementsBlindly];
    let flaws = flaws.map(Wrong::Flawed);
    for wrong in [Wrong::Shared, Wrong::Lost].into_iter().chain(flaws) {
        let error = two(Some(wrong)).expect_err("a flaw passed").to_string();
        assert!(error.starts_with("Test failed: "), "{wrong:?}: {error}");
    }
}
