//! Entries: keys and values are opaque, and entries expire.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

use super::{eventually, expect, prefix, set, set_with_ttl, value};
use crate::{Condition, KeyValueStore};

pub(super) async fn entries_are_set_read_and_deleted(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("entry");
    expect(store, &key, None).await?;
    store.delete(&key).await.context("a delete of nothing")?;
    set(store, &key, "one").await?;
    expect(store, &key, Some(b"one")).await?;
    set(store, &key, "two").await?;
    expect(store, &key, Some(b"two")).await?;
    store.delete(&key).await?;
    expect(store, &key, None).await
}

/// Keys that look like something else to a file system, a server or a pattern, between spaces.
const ODD: &str = "a A ä Ä a\u{308} 日本語 🔑 \u{202e} \u{feff} \u{10ffff} \u{1} \u{7f} \0 \0\0 a\0 . .. ... .a a. a..b \
    / // /a a/ ../a ..\\a C:\\a con * > a.* a.> a.b a.b.c $JS _ - = % %00 %2F %2f + ? # & ' \" ` | ~ < : ; {} [a] \\ \\0 \
    null YQ== YQ";

pub(super) fn odd_keys() -> Vec<String> {
    let space = [" ", "  ", "a b", "\t", "\n", "\r\n", "\u{a0}", "\u{2028}"];
    let mut keys: Vec<String> = ODD.split(' ').chain(space).map(str::to_owned).collect();
    keys.extend([1, 2, 255, 256, 511, 512].map(|length| "k".repeat(length)));
    keys.extend(["\0".repeat(512), "é".repeat(256), "🔑".repeat(128), format!("{}x", "k".repeat(511))]);
    keys
}

/// These keys stand alone, without a prefix: they are odd only as a whole. Each is put back as it was found.
pub(super) async fn keys_are_opaque(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let keys = odd_keys();
    let mut before = Vec::new();
    for key in &keys {
        before.push(value(store, key).await?);
    }
    for (number, key) in keys.iter().enumerate() {
        set(store, key, number.to_string()).await?;
    }
    for (number, key) in keys.iter().enumerate() {
        expect(store, key, Some(number.to_string().as_bytes())).await?;
    }
    for (number, key) in keys.iter().enumerate().filter(|(number, _)| number % 2 == 0) {
        store.delete(key).await.with_context(|| format!("delete of {key:?}, number {number}"))?;
    }
    for (number, key) in keys.iter().enumerate() {
        let kept = (number % 2 == 1).then(|| number.to_string());
        expect(store, key, kept.as_deref().map(str::as_bytes)).await.context("after others were deleted")?;
    }
    for (key, before) in keys.iter().zip(before) {
        match before {
            Some(value) => drop(set(store, key, value).await?),
            None => store.delete(key).await?,
        }
    }
    Ok(())
}

pub(super) async fn values_are_opaque(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("value");
    let every_byte: Vec<u8> = (0..=255).collect();
    let large: Vec<u8> = every_byte.iter().copied().cycle().take(1 << 20).collect();
    for value in [Vec::new(), vec![0], every_byte, large, Vec::new()] {
        set(store, &key, value.clone()).await.with_context(|| format!("{} bytes", value.len()))?;
        expect(store, &key, Some(&value)).await.with_context(|| format!("{} bytes", value.len()))?;
    }
    store.delete(&key).await?;
    Ok(())
}

/// Writes an entry that expires soon, and waits until it has.
async fn expired(store: &Arc<dyn KeyValueStore>, key: &str) -> Result<()> {
    set_with_ttl(store, key, "v", 1).await?;
    eventually(async || Ok(value(store, key).await?.is_none())).await.context("the entry does not expire")
}

pub(super) async fn entries_expire(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("ttl");
    let [short, long, renewed] = ["short", "long", "renewed"].map(|name| format!("{prefix}{name}"));
    set_with_ttl(store, &long, "v", 3600).await?;
    set_with_ttl(store, &renewed, "v", 1).await?;
    set(store, &renewed, "for ever").await?;
    expired(store, &short).await?;
    expect(store, &long, Some(b"v")).await?;
    expect(store, &renewed, Some(b"for ever")).await.context("a write without a ttl keeps the earlier one")?;
    // It is free for another write.
    set(store, &short, "again").await?;
    expect(store, &short, Some(b"again")).await
}

pub(super) async fn expired_entries_are_absent(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let key = prefix("expired");
    expired(store, &key).await?;
    store.set(&key, Bytes::from("again"), None, Condition::Absent).await.context("an expired entry is there")?;
    expect(store, &key, Some(b"again")).await
}

pub(super) async fn expired_entries_are_not_listed(store: &Arc<dyn KeyValueStore>) -> Result<()> {
    let prefix = prefix("expired");
    let [short, long] = ["short", "long"].map(|name| format!("{prefix}{name}"));
    set_with_ttl(store, &long, "v", 3600).await?;
    expired(store, &short).await?;
    let keys = store.keys(&prefix, None, 10).await?;
    ensure!(keys == [long], "{keys:?} are listed");
    Ok(())
}
