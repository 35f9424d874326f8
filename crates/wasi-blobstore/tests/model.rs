//! Random operations on a backend do what they do on a simple model of a container.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of a test fail as the test does")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed};
use tempo_wasi_blobstore::{ByteRange, Container, ErrorKind, File, Memory, PutOptions};

#[derive(Clone, Debug)]
enum Step {
    Put {
        name: String,
        data: Vec<u8>,
        if_absent: bool,
    },
    GiveUp {
        name: String,
        data: Vec<u8>,
    },
    Get {
        name: String,
        range: Option<(u64, Option<u64>)>,
    },
    Delete {
        name: String,
    },
    Copy {
        from: String,
        to: String,
    },
    List {
        prefix: String,
        after: Option<String>,
        limit: usize,
    },
    /// The process dies, and another opens what it left.
    Restart,
}

/// Few names, so that steps meet; hard ones among them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab/.]{1,2}",
        1 => "(?s).{1,3}",
        1 => "[ab]".prop_map(|end| "n".repeat(250) + &end),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let data = || proptest::collection::vec(any::<u8>(), 0..50);
    let range = proptest::option::of((0..60u64, proptest::option::of(0..60u64)));
    prop_oneof![
        4 => (name(), data(), any::<bool>()).prop_map(|(name, data, if_absent)| Step::Put { name, data, if_absent }),
        1 => (name(), data()).prop_map(|(name, data)| Step::GiveUp { name, data }),
        3 => (name(), range).prop_map(|(name, range)| Step::Get { name, range }),
        2 => name().prop_map(|name| Step::Delete { name }),
        2 => (name(), name()).prop_map(|(from, to)| Step::Copy { from, to }),
        2 => ("[ab/.]{0,2}", proptest::option::of(name()), 1..10usize)
            .prop_map(|(prefix, after, limit)| Step::List { prefix, after, limit }),
        1 => Just(Step::Restart),
    ]
}

type Model = BTreeMap<String, Vec<u8>>;

async fn put(container: &dyn Container, model: &mut Model, name: String, data: Vec<u8>, if_absent: bool) {
    let options = PutOptions { if_absent, ..PutOptions::default() };
    let result = async {
        let mut upload = container.put(&name, options).await?;
        for piece in data.chunks(20) {
            upload.write(Bytes::copy_from_slice(piece)).await?;
        }
        upload.complete().await
    };
    match result.await {
        Ok(info) => {
            assert!(!if_absent || !model.contains_key(&name));
            assert_eq!((info.size, info.name.as_str()), (data.len() as u64, name.as_str()));
            model.insert(name, data);
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            assert!(if_absent && model.contains_key(&name));
        }
    }
}

async fn get(container: &dyn Container, model: &Model, name: &str, range: Option<(u64, Option<u64>)>) {
    let range = range.map(|(offset, length)| ByteRange { offset, length });
    match (container.get(name, range).await, model.get(name)) {
        (Ok((info, data)), Some(expected)) => {
            let chunks: Vec<Bytes> = data.try_collect().await.unwrap();
            let (start, end) = ByteRange::within(range, expected.len() as u64);
            assert_eq!(chunks.concat(), expected[start as usize..end as usize]);
            assert_eq!(info.size, expected.len() as u64);
        }
        (Err(error), None) => assert_eq!(error.kind(), ErrorKind::NoSuchObject),
        (found, expected) => panic!("{name:?}: {:?} instead of {expected:?}", found.map(|(info, _)| info)),
    }
}

async fn apply(container: &dyn Container, model: &mut Model, step: Step) {
    match step {
        Step::Put { name, data, if_absent } => put(container, model, name, data, if_absent).await,
        Step::GiveUp { name, data } => {
            let mut upload = container.put(&name, PutOptions::default()).await.unwrap();
            upload.write(data.into()).await.unwrap();
        }
        Step::Get { name, range } => get(container, model, &name, range).await,
        Step::Delete { name } => {
            container.delete(&name).await.unwrap();
            model.remove(&name);
        }
        Step::Copy { from, to } => match model.get(&from).cloned() {
            Some(data) => {
                container.copy(&from, &to).await.unwrap();
                model.insert(to, data);
            }
            None => assert_eq!(container.copy(&from, &to).await.unwrap_err().kind(), ErrorKind::NoSuchObject),
        },
        Step::List { prefix, after, limit } => {
            let listed = container.list(&prefix, after.as_deref(), limit).await.unwrap();
            let listed: Vec<_> = listed.into_iter().map(|entry| (entry.name, entry.size)).collect();
            let matches = |name: &str| name.starts_with(&prefix) && after.as_deref().is_none_or(|after| name > after);
            let expected = model.iter().filter(|(name, _)| matches(name)).take(limit);
            assert_eq!(listed, expected.map(|(name, data)| (name.clone(), data.len() as u64)).collect::<Vec<_>>());
        }
        Step::Restart => {}
    }
}

/// The seed is fixed: a failure in CI is one here.
fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(0x7e39_0b10_b570_4e01),
        ..Config::default()
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap()
}

proptest! {
    #![proptest_config(config(256))]
    #[test]
    fn memory(steps in proptest::collection::vec(step(), 1..60)) {
        runtime().block_on(async {
            let container: Arc<dyn Container> = Arc::new(Memory::default());
            let mut model = Model::new();
            for step in steps {
                apply(&*container, &mut model, step).await;
            }
        });
    }
}

proptest! {
    #![proptest_config(config(48))]
    #[test]
    fn file(steps in proptest::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let mut container = File::open(folder.path()).unwrap();
            let mut model = Model::new();
            for step in steps {
                if matches!(step, Step::Restart) {
                    std::fs::write(folder.path().join("partial/left"), b"half").unwrap();
                    container = File::open(folder.path()).unwrap();
                    assert!(!folder.path().join("partial/left").exists());
                }
                apply(&container, &mut model, step).await;
            }
        });
    }
}
