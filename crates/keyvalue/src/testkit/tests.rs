//! The checks find flaws: a store with one flaw fails the check of it.

use futures::future::join_all;

use super::flawed::{Flaw, Flawed};
use super::*;
use crate::MemoryStore;

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_is_found() {
    let flaws = [
        (Flaw::ForgetsDeletes, "entries_are_set_read_and_deleted"),
        (Flaw::IgnoresCase, "keys_are_opaque"),
        (Flaw::IgnoresAbsent, "absent_entries_are_created_once"),
        (Flaw::IgnoresVersions, "versions_are_never_reused"),
        (Flaw::ForgetsEmptyValues, "values_are_opaque"),
        (Flaw::KeepsLifetimes, "entries_expire"),
        (Flaw::ListsBackwards, "keys_are_listed_in_order"),
        (Flaw::ListsPrefixAsPattern, "odd_keys_are_listed"),
        (Flaw::ListsFromAfterInclusive, "keys_are_listed_in_order"),
        (Flaw::RepeatsVersions, "versions_are_never_reused"),
        (Flaw::HidesDeletes, "every_watcher_receives_every_change"),
        (Flaw::SwapsChanges, "every_watcher_receives_every_change"),
        (Flaw::HeadSeesNothing, "entries_are_set_read_and_deleted"),
        (Flaw::LosesIncrements, "increments_are_atomic"),
        (Flaw::IncrementsBlindly, "counters_are_decimal_entries"),
        (Flaw::EndsTtlOfCounters, "increments_keep_a_ttl"),
        (Flaw::ProlongsTtlOfCounters, "frequent_increments_keep_a_ttl"),
        (Flaw::EndsTtlOfReplaced, "replacements_keep_a_ttl"),
        (Flaw::ReplacesBlindly, "replacements_are_conditional"),
    ];
    // At once: those of lifetimes wait.
    join_all(flaws.map(async |(flaw, name)| {
        let store: Arc<dyn KeyValueStore> = Arc::new(Flawed::new(flaw, MemoryStore::default()));
        let check = checks().into_iter().find(|check| check.name() == name).unwrap();
        assert!(check.run(store).await.is_err(), "{flaw:?} passes {name}");
    }))
    .await;
}

#[test]
fn capabilities_choose_the_trials() {
    let names = |capabilities| {
        let open = || async { anyhow::Ok(Arc::new(MemoryStore::default()) as Arc<dyn KeyValueStore>) };
        let trials = trials("mine", open, &capabilities);
        trials.iter().map(|trial| trial.name().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(Capabilities::ALL).len(), checks().len());
    assert_eq!(
        names(Capabilities::NONE),
        ["mine::entries_are_set_read_and_deleted", "mine::keys_are_opaque", "mine::values_are_opaque"]
    );
    let watch = names(Capabilities { watch: true, ..Capabilities::NONE });
    assert!(watch.contains(&"mine::watchers_receive_the_last_change".to_owned()), "{watch:?}");
}
