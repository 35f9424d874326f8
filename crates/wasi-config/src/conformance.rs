//! The conformance suite of backends.
//!
//! Fill a backend with [`PAIRS`] and call [`run`] from a test.

use anyhow::{Context as _, Result, ensure};

use crate::Configuration;

/// The complete contents of a backend under test.
pub const PAIRS: &[(&str, &str)] = &[
    ("plain", "value"),
    ("Plain", "another case, another key"),
    ("empty", ""),
    ("a.b", "dots have no meaning"),
    ("a.b.c", "neither here"),
    ("spaces in keys", " and around values "),
    ("key=sign", "value=sign"),
    ("Schlüssel 🔑", "ключ\n鍵"),
];

/// Keys similar to those of [`PAIRS`], but absent.
const ABSENT: &[&str] = &["", "PLAIN", "plai", "plain ", "a", "a.", "a.b.c.d", "*", "%"];

/// Calls each function of `configuration`, which contains [`PAIRS`].
///
/// # Errors
///
/// The first result that violates the interface.
pub async fn run(configuration: &dyn Configuration) -> Result<()> {
    for (key, value) in PAIRS {
        let found = configuration.get(key).await.with_context(|| format!("get of `{key}`"))?;
        ensure!(found.as_deref() == Some(*value), "get of `{key}` gave another value, or none");
    }
    for key in ABSENT {
        let found = configuration.get(key).await.with_context(|| format!("get of the absent `{key}`"))?;
        ensure!(found.is_none(), "get of the absent `{key}` gave a value");
    }
    let mut all = configuration.get_all().await.context("get-all")?;
    all.sort();
    let mut expected: Vec<_> = PAIRS.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    expected.sort();
    ensure!(all == expected, "get-all gave other pairs than those that get finds");
    Ok(())
}
