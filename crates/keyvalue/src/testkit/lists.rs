//! Lists: every key once, in the order of its bytes, page by page.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};

use super::entries::odd_keys;
use super::{prefix, set};
use crate::KeyValueStore;

/// Writes `names` below a prefix of their own and returns the whole keys in the order of their bytes.
async fn fill(store: &Arc<dyn KeyValueStore>, prefix: &str, names: &[&str]) -> Result<Vec<String>> {
    let mut keys: Vec<String> = names.iter().map(|name| format!("{prefix}{name}")).collect();
    for key in &keys {
        set(store, key, "v").await?;
    }
    keys.sort_unstable();
    Ok(keys)
}

pub(super) async fn keys_are_listed_in_order(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("order");
    let names = ["b", "a", "B", "aa", "a/b", "a.b", "a b", "ä", "z", "日", "🔑", "\0", "a\0", "~", "-", ""];
    let keys = fill(store, &prefix, &names).await?;
    ensure!(store.keys(&prefix, None, 100).await? == keys, "keys are not listed in the order of their bytes");
    for (number, key) in keys.iter().enumerate() {
        let after = store.keys(&prefix, Some(key), 100).await?;
        ensure!(keys.iter().skip(number + 1).eq(&after), "a list after {key:?} is not what comes after it");
    }
    // A place to begin after need not be a key.
    let after = store.keys(&prefix, Some(&format!("{prefix}a ")), 100).await?;
    let expected: Vec<&String> = keys.iter().filter(|key| **key > format!("{prefix}a ")).collect();
    ensure!(expected.into_iter().eq(&after), "a list after no key is not what comes after it");
    for key in &keys {
        store.delete(key).await?;
    }
    ensure!(store.keys(&prefix, None, 100).await?.is_empty(), "deleted keys are listed");
    Ok(())
}

pub(super) async fn odd_keys_are_listed(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let keys = odd_keys();
    for key in &keys {
        set(store, key, "v").await?;
    }
    for key in &keys {
        let listed = store.keys(key, None, 1).await.with_context(|| format!("list from {key:?}"))?;
        ensure!(listed == [key.clone()], "a list of keys that begin with {key:?} does not begin with it");
    }
    for key in &keys {
        store.delete(key).await?;
    }
    Ok(())
}

pub(super) async fn keys_are_listed_by_prefix(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("prefix");
    let keys = fill(store, &prefix, &["a", "ab", "abc", "a.b", "a.*", "b", "ba", "A", "é", "ê"]).await?;
    for name in ["", "a", "ab", "abc", "abcd", "a.", "a.*", "*", ">", "b", "c", "A", "é", "."] {
        let wanted = format!("{prefix}{name}");
        let expected: Vec<&String> = keys.iter().filter(|key| key.starts_with(&wanted)).collect();
        let listed = store.keys(&wanted, None, 100).await?;
        ensure!(expected.into_iter().eq(&listed), "a list of what begins with {name:?} is wrong");
    }
    let after = |name| Some(format!("{prefix}{name}"));
    let list = async |from: Option<String>| store.keys(&format!("{prefix}b"), from.as_deref(), 100).await;
    ensure!(list(after("a")).await?.len() == 2, "a list after a key before the prefix is wrong");
    ensure!(list(after("b")).await?.len() == 1, "a list after a key with the prefix is wrong");
    ensure!(list(after("c")).await?.is_empty(), "a list after all keys with the prefix is wrong");
    Ok(())
}

pub(super) async fn keys_are_listed_in_pages(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("pages");
    let names: Vec<String> = (0..25).map(|number| format!("{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let keys = fill(store, &prefix, &names).await?;
    for size in [1, 5, 7, 24, 25, 26] {
        let mut listed: Vec<String> = Vec::new();
        loop {
            let page = store.keys(&prefix, listed.last().map(String::as_str), size).await?;
            ensure!(page.len() <= size, "a page of {size} has {} keys", page.len());
            let full = page.len() == size;
            listed.extend(page);
            if !full {
                break;
            }
        }
        ensure!(listed == keys, "pages of {size} are not the whole");
    }
    ensure!(store.keys(&prefix, None, 0).await?.is_empty(), "a page of nothing has keys");
    Ok(())
}
