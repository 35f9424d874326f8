//! Increments: exact, and rejected if the value is not a number.

use futures::future::try_join_all;

use crate::scope::{Outcome, Scope, holds, same};

/// A number is decimal text, on every host.
pub(crate) async fn increment(on: Scope) -> Outcome {
    let key = on.key("k");
    for (delta, sum) in [(0, 0), (5, 5), (-7, -2), (0, -2), (2, 0), (i64::MAX, i64::MAX), (i64::MIN, -1)] {
        same("increment", on.bucket.increment(key.as_str(), delta).await?, sum)?;
        same("get", on.bucket.get_string(key.as_str()).await?, Some(sum.to_string()))?;
    }
    on.bucket.set(key.as_str(), "41").await?;
    same("increment of text", on.bucket.increment(key.as_str(), 1).await?, 42)?;
    on.bucket.delete(key.as_str()).await?;
    same("increment after delete", on.bucket.increment(key.as_str(), 1).await?, 1)?;
    on.clean().await
}

/// No increment is lost, and no two return the same sum.
pub(crate) async fn at_once(on: Scope) -> Outcome {
    let key = on.key("k");
    let mut sums = try_join_all((0..40).map(|_| on.bucket.increment(key.as_str(), 1))).await?;
    sums.sort_unstable();
    same("the sums", sums, (1..=40).collect::<Vec<i64>>())?;
    same("get", on.bucket.get_string(key.as_str()).await?.as_deref(), Some("40"))?;
    on.clean().await
}

pub(crate) async fn no_number(on: Scope) -> Outcome {
    let key = on.key("k");
    let wrong: [&[u8]; 9] =
        [b"", b"x", b"1.5", b" 1", b"1 ", b"0x10", b"9223372036854775808", &[0xff], &[0, 0, 0, 0, 0, 0, 0, 1]];
    for value in wrong {
        on.bucket.set(key.as_str(), value).await?;
        let sum = on.bucket.increment(key.as_str(), 1).await;
        holds(&format!("increment of {value:?} fails: {sum:?}"), sum.is_err())?;
        same("what is there", on.bucket.get(key.as_str()).await?.as_deref(), Some(value))?;
    }
    on.clean().await
}

pub(crate) async fn overflow(on: Scope) -> Outcome {
    let key = on.key("k");
    for (number, delta) in [(i64::MAX, 1), (i64::MIN, -1), (i64::MAX, i64::MAX), (-2, i64::MIN)] {
        on.bucket.set(key.as_str(), number.to_string()).await?;
        let sum = on.bucket.increment(key.as_str(), delta).await;
        holds(&format!("{number} and {delta} have no sum: {sum:?}"), sum.is_err())?;
        same("what is there", on.bucket.get_string(key.as_str()).await?, Some(number.to_string()))?;
    }
    on.clean().await
}
