//! Keys: any UTF-8 of 1 to 512 bytes is valid, anything else is not.

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use tempo_sdk_keyvalue::{Bucket, Error, Expected, SetOptions};

use crate::odd_names::ODD;
use crate::scope::{Differs, Outcome, Scope, fails, list, same};

/// All of them in one bucket, each with a different value. They are the whole key: a prefix would hide special
/// characters.
pub(crate) async fn odd(on: Scope) -> Outcome {
    each_is_itself(&on, ODD.iter().map(|key| (*key).to_owned()).collect(), 1).await
}

/// Each of the first 256 characters as a key, those up to U+2FFF in keys of several, and the edges of the encoding's
/// lengths.
pub(crate) async fn every_character(on: Scope) -> Outcome {
    let mut keys: Vec<String> = ('\0'..='\u{ff}').map(String::from).collect();
    let more: Vec<char> = ('\u{100}'..='\u{2fff}').collect();
    keys.extend(more.chunks(150).map(String::from_iter));
    let edges = ['\u{7ff}', '\u{800}', '\u{d7ff}', '\u{e000}', '\u{ffff}', '\u{10000}', '\u{ffffe}', '\u{10fffd}'];
    keys.extend(edges.map(String::from));
    each_is_itself(&on, keys, 16).await
}

/// A list may be an expensive operation, so only each `listed`th key is listed by its prefix.
async fn each_is_itself(on: &Scope, keys: Vec<String>, listed: usize) -> Outcome {
    let bucket = &on.bucket;
    bucket.delete_many(keys.clone()).await?;
    let before: BTreeSet<String> = list(bucket, "").await?.into_iter().collect();
    try_join_all(keys.iter().map(|key| bucket.set(key.as_str(), value(key)))).await?;
    for (key, got) in keys.iter().zip(join_all(keys.iter().map(|key| bucket.get(key.as_str()))).await) {
        same(&format!("get {key:?}"), got, Ok(Some(value(key))))?;
    }
    for key in keys.iter().step_by(listed) {
        let under = list(bucket, key.as_str()).await?;
        same(&format!("whether the prefix {key:?} finds its key"), under.contains(key), true)?;
        same(
            &format!("a key without the prefix {key:?}"),
            under.iter().find(|found| !found.starts_with(key.as_str())),
            None,
        )?;
    }
    let now: BTreeSet<String> = list(bucket, "").await?.into_iter().collect();
    let new: BTreeSet<&String> = now.difference(&before).collect();
    same("the keys in the list", new, keys.iter().collect::<BTreeSet<_>>())?;
    // Deleting one must not delete its neighbours.
    for (index, key) in keys.iter().enumerate() {
        bucket.delete(key.as_str()).await?;
        same(&format!("{key:?} exists after delete"), bucket.exists(key.as_str()).await?, false)?;
        if let Some(next) = keys.get(index + 1) {
            same(&format!("{next:?} exists after {key:?} was deleted"), bucket.exists(next.as_str()).await?, true)?;
        }
    }
    let after: BTreeSet<String> = list(bucket, "").await?.into_iter().collect();
    same("the keys at the end", after, before)
}

fn value(key: &str) -> Vec<u8> {
    format!("the value of {key:?}").into_bytes()
}

/// 512 bytes are a valid key for every operation, of any characters.
pub(crate) async fn longest(on: Scope) -> Outcome {
    let bucket = &on.bucket;
    for (unit, count) in [("k", 512), ("\u{e4}", 256), ("\u{1f980}", 128), ("/", 512), ("\0", 512), (".", 512)] {
        let key = unit.repeat(count);
        bucket.delete(key.as_str()).await?;
        bucket.set(key.as_str(), "1").await?;
        same("get of 512 bytes", bucket.get(key.as_str()).await?, Some(b"1".to_vec()))?;
        same("increment of 512 bytes", bucket.increment(key.as_str(), 1).await?, 2)?;
        same("list by 512 bytes", list(bucket, key.as_str()).await?, vec![key.clone()])?;
        bucket.delete(key.as_str()).await?;
        same("exists of 512 bytes", bucket.exists(key.as_str()).await?, false)?;
    }
    Ok(())
}

/// Every operation rejects the empty key and one of 513 bytes.
pub(crate) async fn bad(on: Scope) -> Outcome {
    for key in [String::new(), "k".repeat(513), "\u{e4}".repeat(257), "k".repeat(100_000)] {
        refused(&on.bucket, &key).await?;
    }
    Ok(())
}

async fn refused(bucket: &Bucket, key: &str) -> Outcome {
    let wanted = || Error::InvalidArgument;
    let what = |operation: &str| format!("{operation} of a key of {} bytes", key.len());
    fails(&what("get"), bucket.get(key).await, wanted())?;
    fails(&what("set"), bucket.set(key, "v").await, wanted())?;
    fails(&what("set"), bucket.set_with(key, "v", SetOptions::new().if_absent()).await, wanted())?;
    fails(&what("delete"), bucket.delete(key).await, wanted())?;
    fails(&what("exists"), bucket.exists(key).await, wanted())?;
    fails(&what("increment"), bucket.increment(key, 1).await, wanted())?;
    fails(&what("current"), bucket.entry(key).await, wanted())?;
    fails(&what("swap"), bucket.swap(key, "v", Expected::new().value("v")).await, wanted())?;
    fails(&what("get-many"), bucket.get_many([key]).await, wanted())?;
    fails(&what("set-many"), bucket.set_many([(key, "v")]).await, wanted())?;
    fails(&what("delete-many"), bucket.delete_many([key]).await, wanted())?;
    let listed = list(bucket, "").await?.iter().any(|listed| listed == key);
    if listed { Err(Differs::new(what("list"))) } else { Ok(()) }
}
