//! The checks find flaws: a container with one flaw fails the check of it.

use super::flawed::{Flaw, Flawed};
use super::*;
use crate::Memory;

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_is_found() {
    let flaws = [
        (Flaw::IgnoresCase, "names_are_opaque_and_listed_in_order"),
        (Flaw::IgnoresAbsent, "one_of_many_uploads_is_first"),
        (Flaw::IgnoresRanges, "ranges_are_read"),
        (Flaw::ForgetsMetadata, "options_are_kept"),
        (Flaw::ForgetsMetadata, "copies_are_independent"),
        (Flaw::ForgetsDeletes, "large_objects_are_whole"),
        (Flaw::ListsBackwards, "names_are_opaque_and_listed_in_order"),
    ];
    for (flaw, name) in flaws {
        let container: Arc<dyn Container> = Arc::new(Flawed { flaw, inner: Arc::default() });
        let check = checks().into_iter().find(|check| check.name() == name).unwrap();
        assert!(check.run(container).await.is_err(), "{flaw:?} passes {name}");
    }
}

#[test]
fn capabilities_choose_the_trials() {
    let count = |capabilities| {
        let open = || async { anyhow::Ok(Arc::new(Memory::default()) as Arc<dyn Container>) };
        trials("mine", open, &capabilities).len()
    };
    assert_eq!((count(Capabilities::ALL), count(Capabilities::NONE)), (10, 7));
}
