//! The SDK's retry loop around compare-and-swap.

use futures::future::try_join_all;
use tempo_sdk_keyvalue::Error;

use crate::scope::{Differs, Outcome, Scope, holds, same};

pub(crate) async fn update(on: Scope) -> Outcome {
    let key = on.key("k");
    let left = on.bucket.update(key.as_str(), |_| None::<String>).await?;
    same("an update that leaves nothing", left, None)?;
    same("get", on.bucket.get(key.as_str()).await?, None)?;
    let first = on.bucket.update(key.as_str(), |old| old.is_none().then_some("first")).await?;
    same("an update of nothing", first, Some(b"first".to_vec()))?;
    let second = on.bucket.update(key.as_str(), |old| old.map(|old| [old, b", second"].concat())).await?;
    same("an update", second, Some(b"first, second".to_vec()))?;
    same("get", on.bucket.get_string(key.as_str()).await?.as_deref(), Some("first, second"))?;
    same("an update that leaves all", on.bucket.update(key.as_str(), |_| None::<&str>).await?, None)?;
    let refused = on.bucket.try_update(key.as_str(), |_| Err::<&str, _>(Refused::Change)).await;
    holds("an update whose change fails says why", matches!(refused, Err(Refused::Change)))?;
    same("get", on.bucket.get_string(key.as_str()).await?.as_deref(), Some("first, second"))?;
    let bad = on.bucket.try_update("", |_| Err::<&str, _>(Refused::Change)).await;
    holds("an update of no key is refused", matches!(bad, Err(Refused::Store(Error::InvalidArgument))))?;
    on.clean().await
}

/// No concurrent update is lost, including the first one, without an entry to swap.
pub(crate) async fn at_once(on: Scope) -> Outcome {
    let key = on.key("k");
    let add = |number: usize| {
        on.bucket.update(key.as_str(), move |old| {
            Some([old.unwrap_or_default(), number.to_string().as_bytes(), b" "].concat())
        })
    };
    try_join_all((0..20).map(add)).await?;
    let text = on.bucket.get_string(key.as_str()).await?.ok_or_else(|| Differs::new("get: none"))?;
    let mut numbers: Vec<usize> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    numbers.sort_unstable();
    same("who has written", numbers, (0..20).collect::<Vec<_>>())?;
    on.clean().await
}

#[derive(Debug)]
enum Refused {
    Change,
    Store(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}
