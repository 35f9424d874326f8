//! Values: any bytes up to 1 MiB, read back as they were written.

use tempo_sdk_keyvalue::{Error, Expected, SetOptions};

use crate::scope::{Differs, Outcome, Scope, fails, holds, same};

const MIB: usize = 1 << 20;

/// Empty, zeros, every byte, and invalid UTF-8.
pub(crate) async fn bytes(on: Scope) -> Outcome {
    let key = on.key("k");
    let values: [Vec<u8>; 7] = [
        vec![],
        vec![0],
        (0..=255).collect(),
        vec![0xff, 0xfe, 0x80],
        b"\r\n".to_vec(),
        b"text".to_vec(),
        vec![7; 70_000],
    ];
    for value in values {
        on.bucket.set(key.as_str(), value.as_slice()).await?;
        same("get", on.bucket.get(key.as_str()).await?.as_ref(), Some(&value))?;
        let entry = on.bucket.entry(key.as_str()).await?;
        same("current", entry.map(|entry| entry.value), Some(value))?;
    }
    // An empty value differs from no entry.
    on.bucket.set(key.as_str(), "").await?;
    same("exists, with an empty value", on.bucket.exists(key.as_str()).await?, true)?;
    same("get, with an empty value", on.bucket.get(key.as_str()).await?, Some(Vec::new()))?;
    on.clean().await
}

pub(crate) async fn overwrite(on: Scope) -> Outcome {
    let key = on.key("k");
    for value in ["a longer one", "short", "", "again"] {
        on.bucket.set(key.as_str(), value).await?;
        same("get", on.bucket.get(key.as_str()).await?, Some(value.into()))?;
    }
    same("keys", on.all("").await?, vec![key.clone()])?;
    on.clean().await
}

pub(crate) async fn delete(on: Scope) -> Outcome {
    let key = on.key("k");
    let absent = async |what: &str| -> Outcome {
        same(&format!("get {what}"), on.bucket.get(key.as_str()).await?, None)?;
        same(&format!("exists {what}"), on.bucket.exists(key.as_str()).await?, false)?;
        same(&format!("current {what}"), on.bucket.entry(key.as_str()).await?, None)?;
        same(&format!("list {what}"), on.all("").await?, Vec::<String>::new())
    };
    absent("before anything").await?;
    on.bucket.delete(key.as_str()).await?;
    absent("after a delete of nothing").await?;
    on.bucket.set(key.as_str(), "value").await?;
    same("exists", on.bucket.exists(key.as_str()).await?, true)?;
    on.bucket.delete(key.as_str()).await?;
    absent("after delete").await?;
    on.bucket.delete(key.as_str()).await?;
    on.bucket.set(key.as_str(), "new").await?;
    same("get after delete and set", on.bucket.get(key.as_str()).await?, Some(b"new".to_vec()))?;
    on.clean().await
}

/// 1 MiB is a valid value for every write operation.
pub(crate) async fn largest(on: Scope) -> Outcome {
    let key = on.key("k");
    let value = |seed: u8| -> Vec<u8> { (0_u8..=250).cycle().map(|byte| byte ^ seed).take(MIB).collect() };
    let is = async |what: &str, seed: u8| -> Outcome {
        let got = on.bucket.get(key.as_str()).await?;
        holds(&format!("1 MiB by {what} is what was written"), got.as_ref() == Some(&value(seed)))
    };
    on.bucket.set(key.as_str(), value(1)).await?;
    is("set", 1).await?;
    let entry = on.bucket.entry(key.as_str()).await?.ok_or_else(|| Differs::new("current: none"))?;
    let _ = on.bucket.swap(key.as_str(), value(2), Expected::new().version(&entry.version)).await?;
    is("swap", 2).await?;
    on.bucket.delete(key.as_str()).await?;
    on.bucket.set_with(key.as_str(), value(3), SetOptions::new().if_absent()).await?;
    is("if-not-exists", 3).await?;
    on.bucket.set_many([(key.as_str(), value(4))]).await?;
    is("set-many", 4).await?;
    on.clean().await
}

/// One byte more is rejected, and leaves the entry unchanged.
pub(crate) async fn too_large(on: Scope) -> Outcome {
    let key = on.key("k");
    let large = vec![1; MIB + 1];
    let invalid = Error::InvalidArgument;
    on.bucket.set(key.as_str(), "kept").await?;
    fails("set", on.bucket.set(key.as_str(), large.as_slice()).await, invalid.clone())?;
    fails("set-many", on.bucket.set_many([(key.as_str(), large.as_slice())]).await, invalid.clone())?;
    let swap = on.bucket.swap(key.as_str(), large.as_slice(), Expected::new().value("kept")).await;
    fails("swap", swap, invalid.clone())?;
    same("get", on.bucket.get(key.as_str()).await?, Some(b"kept".to_vec()))?;
    let other = on.key("other");
    let set = on.bucket.set_with(other.as_str(), large, SetOptions::new().if_absent()).await;
    fails("if-not-exists", set, invalid)?;
    same("exists", on.bucket.exists(other.as_str()).await?, false)?;
    on.clean().await
}

/// The helpers of the SDK.
pub(crate) async fn typed(on: Scope) -> Outcome {
    let key = on.key("k");
    same("text of nothing", on.bucket.get_string(key.as_str()).await?, None)?;
    same("JSON of nothing", on.bucket.get_json::<u32>(key.as_str()).await?, None)?;
    on.bucket.set(key.as_str(), "\u{e4}").await?;
    same("text", on.bucket.get_string(key.as_str()).await?.as_deref(), Some("\u{e4}"))?;
    on.bucket.set_json(key.as_str(), &["a", "b"]).await?;
    same("JSON as text", on.bucket.get_string(key.as_str()).await?.as_deref(), Some(r#"["a","b"]"#))?;
    let values: Option<Vec<String>> = on.bucket.get_json(key.as_str()).await?;
    same("JSON", values, Some(vec!["a".to_owned(), "b".to_owned()]))?;
    let number = on.bucket.get_json::<u32>(key.as_str()).await;
    holds("JSON of another form is a Decode error", matches!(number, Err(Error::Decode(_))))?;
    on.bucket.set(key.as_str(), vec![0xff]).await?;
    let text = on.bucket.get_string(key.as_str()).await;
    holds("text that is not UTF-8 is a Decode error", matches!(text, Err(Error::Decode(_))))?;
    on.clean().await
}

pub(crate) async fn read_your_writes(on: Scope) -> Outcome {
    let key = on.key("k");
    for round in 0..100 {
        on.bucket.set(key.as_str(), round.to_string()).await?;
        same("get after set", on.bucket.get_string(key.as_str()).await?, Some(round.to_string()))?;
        if round % 10 == 9 {
            on.bucket.delete(key.as_str()).await?;
            same("get after delete", on.bucket.get(key.as_str()).await?, None)?;
        }
    }
    on.clean().await
}
