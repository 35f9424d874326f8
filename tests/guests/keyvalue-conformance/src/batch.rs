//! Several entries in one call.

use tempo_sdk_keyvalue::Error;

use crate::scope::{Outcome, Scope, fails, same};

pub(crate) async fn batch(on: Scope) -> Outcome {
    let [a, b, c] = ["a", "b", "c"].map(|name| on.key(name));
    on.bucket.set(a.as_str(), "old").await?;
    on.bucket.set_many([(a.as_str(), "1"), (b.as_str(), "")]).await?;
    let got = on.bucket.get_many([b.as_str(), c.as_str(), a.as_str(), b.as_str()]).await?;
    same("get-many", got, vec![Some(Vec::new()), None, Some(b"1".to_vec()), Some(Vec::new())])?;
    on.bucket.delete_many([a.as_str(), c.as_str(), a.as_str()]).await?;
    same("the keys after delete-many", on.all("").await?, vec![b.clone()])?;
    on.bucket.set_many(<[(&str, &str); 0]>::default()).await?;
    on.bucket.delete_many(<[&str; 0]>::default()).await?;
    same("get-many of nothing", on.bucket.get_many(<[&str; 0]>::default()).await?, Vec::new())?;
    on.clean().await
}

pub(crate) async fn many(on: Scope) -> Outcome {
    let pairs: Vec<(String, Vec<u8>)> =
        (0..300).map(|number| (on.key(&format!("{number}")), format!("value {number}").into_bytes())).collect();
    let keys = || pairs.iter().map(|(key, _)| key.as_str());
    on.bucket.set_many(pairs.clone()).await?;
    let values: Vec<Option<Vec<u8>>> = pairs.iter().map(|(_, value)| Some(value.clone())).collect();
    same("get-many of 300", on.bucket.get_many(keys()).await?, values)?;
    on.bucket.delete_many(keys()).await?;
    same("get-many after delete-many", on.bucket.get_many(keys()).await?, vec![None; 300])?;
    on.clean().await
}

/// One invalid key or value fails the whole call.
pub(crate) async fn bad(on: Scope) -> Outcome {
    let key = on.key("k");
    let invalid = || Error::InvalidArgument;
    for bad in [String::new(), "k".repeat(513)] {
        fails("get-many", on.bucket.get_many([key.as_str(), bad.as_str()]).await, invalid())?;
        fails("set-many", on.bucket.set_many([(key.as_str(), "v"), (bad.as_str(), "v")]).await, invalid())?;
        fails("delete-many", on.bucket.delete_many([key.as_str(), bad.as_str()]).await, invalid())?;
    }
    let large = vec![0; (1 << 20) + 1];
    fails("set-many", on.bucket.set_many([(key.as_str(), large)]).await, invalid())?;
    on.clean().await
}
