//! The model finds flaws: containers with a flaw fail.

use std::sync::Arc;

use proptest::strategy::Just;
use tempo_backend::testkit::model::BackendOf;

use super::super::flawed::{Flaw, Flawed};
use super::*;
use crate::Memory;

/// What is wrong with two containers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    /// Both are one.
    Shared,
    /// Neither keeps its content when it is opened again.
    Lost,
    Flawed(Flaw),
}

struct Two {
    wrong: Option<Wrong>,
    containers: [Arc<Memory>; 2],
}

#[async_trait]
impl SystemUnderTest for Two {
    type Model = BlobstoreModel;

    async fn open(&mut self) -> Result<Vec<BackendOf<BlobstoreModel>>> {
        if self.wrong == Some(Wrong::Lost) {
            self.containers = Default::default();
        }
        let [one, other] = self.containers.clone();
        let other = if self.wrong == Some(Wrong::Shared) { one.clone() } else { other };
        let open = |inner| match self.wrong {
            Some(Wrong::Flawed(flaw)) => Arc::new(Flawed { flaw, inner }) as Arc<dyn Container>,
            _ => inner,
        };
        Ok([one, other].map(open).to_vec())
    }
}

fn two(wrong: Option<Wrong>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    run(&runtime, 100, Just(()), |()| Two { wrong, containers: Default::default() })
}

#[test]
fn what_is_right_passes() {
    two(None).unwrap();
}

#[test]
fn every_flaw_is_found() {
    let flaws = [Flaw::IgnoresCase, Flaw::IgnoresAbsent, Flaw::IgnoresRanges, Flaw::ForgetsDeletes].map(Wrong::Flawed);
    for wrong in [Wrong::Shared, Wrong::Lost].into_iter().chain(flaws) {
        let error = two(Some(wrong)).expect_err("a flaw passed").to_string();
        assert!(error.starts_with("Test failed: "), "{wrong:?}: {error}");
    }
}
