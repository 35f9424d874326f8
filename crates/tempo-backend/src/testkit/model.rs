//! Model-based tests: random operations on backends and on a reference model of each, after which both must agree, and no
//! backend may show what was written to another. proptest shrinks a failure to the fewest operations that show it.

mod component_backends;

use std::fmt::Debug;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use async_trait::async_trait;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tempo_settings::Flag;
use tokio::runtime::Runtime;

pub use self::component_backends::{BackendUrls, ComponentBackends};

/// The reference model of a backend: its expected content. `Default` is the model of an empty one.
#[async_trait(?Send)]
pub trait ReferenceModel: Default {
    /// The trait of the backend, such as `dyn KeyValueStore`.
    type Backend: ?Sized + Send + Sync + 'static;
    /// An operation. It refers to the names of its test case by [`Index`].
    type Operation: Debug;

    /// The flag that gives a component its backends.
    const FLAG: Flag;

    /// Generates a name of an entry. A test case uses few, so that operations meet.
    fn name() -> BoxedStrategy<String>;

    /// Generates an operation.
    fn operation() -> BoxedStrategy<Self::Operation>;

    /// Returns names that could lead into the backend whose URL ends with `place`, if another mixes up its names and places.
    fn foreign_names(place: &str) -> Vec<String>;

    /// Describes an operation with the names that it refers to.
    fn describe(operation: &Self::Operation, names: &[String]) -> String;

    /// Applies an operation to the backend and to the model.
    ///
    /// # Errors
    ///
    /// A result that contradicts the model.
    async fn apply(&mut self, backend: &Self::Backend, operation: Self::Operation, names: &[String]) -> Result<()>;

    /// Compares the whole content.
    ///
    /// # Errors
    ///
    /// A difference.
    async fn compare(&self, backend: &Self::Backend, names: &[String]) -> Result<()>;
}

/// A backend of the model `M`.
pub type BackendOf<M> = Arc<<M as ReferenceModel>::Backend>;

/// The backends of one test case, and how they are opened.
#[async_trait]
pub trait SystemUnderTest: Send {
    /// The reference model of each backend.
    type Model: ReferenceModel;

    /// Opens the backends: empty ones at first, and later the same ones with their content. All handles of the last call have
    /// been dropped by then. A backend that is lost with its last handle returns the same handles again.
    async fn open(&mut self) -> Result<Vec<BackendOf<Self::Model>>>;

    /// Returns names to try in addition to those of the model.
    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The first characters of a name.
#[derive(Clone, Copy, Debug)]
pub struct Prefix {
    name: Index,
    length: usize,
}

impl Prefix {
    /// Generates a prefix of at most two characters.
    pub fn strategy() -> impl Strategy<Value = Self> {
        (any::<Index>(), 0_usize..3).prop_map(|(name, length)| Self { name, length })
    }

    /// Returns the prefix of one of `names`.
    pub fn of(self, names: &[String]) -> String {
        self.name.get(names).chars().take(self.length).collect()
    }
}

/// The operations of one test case, and the names that they refer to.
#[derive(Debug)]
struct TestCase<O> {
    names: Vec<String>,
    steps: Vec<Step<O>>,
}

#[derive(Debug)]
enum Step<O> {
    Operation { backend: Index, operation: O },
    Reopen,
}

fn test_cases<M: ReferenceModel>() -> impl Strategy<Value = TestCase<M::Operation>> {
    let step = prop_oneof![
        15 => (any::<Index>(), M::operation()).prop_map(|(backend, operation)| Step::Operation { backend, operation }),
        1 => any::<()>().prop_map(|()| Step::Reopen),
    ];
    let steps = prop::collection::vec(step, 1..60);
    (prop::collection::vec(M::name(), 1..8), steps).prop_map(|(names, steps)| TestCase { names, steps })
}

/// Runs `cases` random test cases of some thirty operations, the same ones every time. Each case has backends of its own:
/// `system` makes them of a value of `inputs`, such as their URLs.
///
/// # Errors
///
/// A result that contradicts the model, with the fewest operations that lead to it.
pub fn run<I: Debug, S: SystemUnderTest>(
    runtime: &Runtime,
    cases: u32,
    inputs: impl Strategy<Value = I>,
    system: impl Fn(I) -> S,
) -> Result<()> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let ran = runner.run(&(inputs, test_cases::<S::Model>()), |(input, case)| {
        let executed = runtime.block_on(execute(system(input), case));
        executed.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    ran.map_err(|error| anyhow!("{error}"))
}

/// Executes a test case, and compares everything at the end.
async fn execute<S: SystemUnderTest>(
    mut system: S,
    case: TestCase<<S::Model as ReferenceModel>::Operation>,
) -> Result<()> {
    let TestCase { mut names, steps } = case;
    names.extend(system.names());
    let mut backends = system.open().await?;
    ensure!(!backends.is_empty(), "there is no backend to test");
    let mut models: Vec<S::Model> = backends.iter().map(|_| S::Model::default()).collect();
    for (number, step) in steps.into_iter().enumerate() {
        let Step::Operation { backend, operation } = step else {
            backends.clear();
            backends = system.open().await.with_context(|| format!("step {number}, to open again"))?;
            continue;
        };
        let at = backend.index(backends.len());
        let (Some(backend), Some(model)) = (backends.get(at), models.get_mut(at)) else { continue };
        let description = format!("step {number} on backend {at}, {}", S::Model::describe(&operation, &names));
        model.apply(&**backend, operation, &names).await.context(description)?;
    }
    backends.clear();
    backends = system.open().await.context("to open again at the end")?;
    for (number, (backend, model)) in backends.iter().zip(&models).enumerate() {
        model.compare(&**backend, &names).await.with_context(|| format!("backend {number} at the end"))?;
    }
    Ok(())
}
