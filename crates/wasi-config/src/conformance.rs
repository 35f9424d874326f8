//! The suite that every backend must pass.
//!
//! Fill a new backend with [`PAIRS`], in whatever way it is filled, and call [`run`] from a test.

use anyhow::{Context as _, Result, ensure};

use crate::Configuration;

/// What a backend under test is to hold, and nothing else.
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

/// Keys that look like those of [`PAIRS`] and are not among them.
const ABSENT: &[&str] = &["", "PLAIN", "plai", "plain ", "a", "a.", "a.b.c.d", "*", "%"];

/// Asks `configuration`, which holds [`PAIRS`], every question of the interface.
///
/// # Errors
///
/// The first answer that is not what the interface promises.
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
