//! Conformance checks as named trials of libtest-mimic.

use std::future::Future;
use std::sync::{Arc, LazyLock};

use anyhow::{Context as _, Result};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Failed, Trial};
use tokio::runtime::{Builder, Runtime};

/// A function that checks a subject, made by [`check!`](crate::check).
type Run<S> = fn(S) -> LocalBoxFuture<'static, Result<()>>;

/// A conformance check of subjects `S`, which backends with some capabilities `C` must pass.
#[derive(Clone, Copy, Debug)]
pub struct Check<S, C> {
    name: &'static str,
    applies: fn(&C) -> bool,
    run: Run<S>,
    then: Option<Run<S>>,
}

/// Makes a [`Check`] of a function `async fn(&S) -> anyhow::Result<()>`, with the name of the function. With a condition on
/// the capabilities, only backends that meet it are checked.
///
/// ```
/// use tempo_backend::check;
/// use tempo_backend::testkit::Check;
///
/// mod numbers {
///     pub async fn is_even(number: &u64) -> anyhow::Result<()> {
///         anyhow::ensure!(number % 2 == 0);
///         Ok(())
///     }
/// }
///
/// let checks: [Check<u64, bool>; 2] = [check!(numbers::is_even), check!(numbers::is_even, |divides| *divides)];
/// ```
#[macro_export]
macro_rules! check {
    ($module:ident::$check:ident) => {
        $crate::check!($module::$check, |_| true)
    };
    ($module:ident::$check:ident, $applies:expr) => {
        $crate::testkit::Check::new(stringify!($check), $applies, |subject| {
            Box::pin(async move { $module::$check(&subject).await })
        })
    };
}

impl<S: Clone + 'static, C> Check<S, C> {
    /// Creates a check. [`check!`](crate::check) is shorter.
    pub fn new(name: &'static str, applies: fn(&C) -> bool, run: Run<S>) -> Self {
        Self { name, applies, run, then: None }
    }

    /// Runs `then` on the subject of a check that passed.
    #[must_use]
    pub fn followed_by(self, then: Run<S>) -> Self {
        Self { then: Some(then), ..self }
    }

    /// Returns the name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Checks one subject.
    ///
    /// # Errors
    ///
    /// The first observation that violates the check.
    pub async fn run(&self, subject: S) -> Result<()> {
        (self.run)(subject.clone()).await?;
        match self.then {
            Some(then) => then(subject).await,
            None => Ok(()),
        }
    }
}

/// Makes a trial of each check that applies to the `capabilities`. Its name is `prefix`, `::` and the name of the check. Each
/// trial opens a subject with `factory`.
pub fn trials<S, C, F>(
    prefix: &str,
    checks: Vec<Check<S, C>>,
    capabilities: &C,
    factory: impl Fn() -> F + Send + Sync + 'static,
) -> Vec<Trial>
where
    S: Clone + 'static,
    C: 'static,
    F: Future<Output = Result<S>>,
{
    let factory = Arc::new(factory);
    let applicable = checks.into_iter().filter(|check| (check.applies)(capabilities));
    let trial = |check: Check<S, C>| {
        let factory = factory.clone();
        trial(format!("{prefix}::{}", check.name), move || async move {
            let subject = factory().await.context("the backend cannot be opened")?;
            check.run(subject).await
        })
    };
    applicable.map(trial).collect()
}

/// The tokio runtime of all trials: backends may share connections, whose tasks must outlive the trial that opened them.
static RUNTIME: LazyLock<std::io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(2).enable_all().build());

/// Makes a trial that runs a future in the tokio runtime that all trials share.
pub fn trial<F>(name: impl Into<String>, run: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<()>>,
{
    Trial::test(name, move || {
        let runtime = RUNTIME.as_ref().map_err(|error| format!("no tokio runtime: {error}"))?;
        runtime.block_on(run()).map_err(|error| Failed::from(format!("{error:#}")))
    })
}

#[cfg(test)]
mod tests {
    use anyhow::{bail, ensure};

    use super::*;

    mod numbers {
        use super::*;

        pub(super) async fn is_even(number: &u64) -> Result<()> {
            ensure!(number.is_multiple_of(2), "{number} is odd");
            Ok(())
        }

        pub(super) async fn is_prime(number: &u64) -> Result<()> {
            bail!("{number} was not checked")
        }
    }

    #[test]
    fn capabilities_choose_the_trials() {
        let names = |primes: bool| {
            let checks = vec![crate::check!(numbers::is_even), crate::check!(numbers::is_prime, |primes| *primes)];
            let trials = trials("number", checks, &primes, || async { Ok(2) });
            trials.iter().map(|trial| trial.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(false), ["number::is_even"]);
        assert_eq!(names(true), ["number::is_even", "number::is_prime"]);
    }

    #[tokio::test]
    async fn what_follows_a_check_is_part_of_it() {
        let check: Check<u64, ()> =
            crate::check!(numbers::is_even).followed_by(|_| Box::pin(async { bail!("an object is left") }));
        assert_eq!(check.run(2).await.unwrap_err().to_string(), "an object is left");
        assert_eq!(check.run(3).await.unwrap_err().to_string(), "3 is odd");
    }
}
