//! Increments: exact, and rejected if the value is not a number.

use crate::scope::{Outcome, Scope, holds, same};

/// A number is decimal text, on every host.
pub(crate) fn increment(on: &Scope) -> Outcome {
    let key = on.key("k");
    for (delta, sum) in [(0, 0), (5, 5), (0, 5), (37, 42)] {
        same("increment", on.bucket.increment(&key, delta)?, sum)?;
        same("get", on.bucket.get(&key)?, Some(sum.to_string().into_bytes()))?;
    }
    on.bucket.set(&key, b"41")?;
    same("increment of text", on.bucket.increment(&key, 1)?, 42)?;
    on.bucket.delete(&key)?;
    same("increment after delete", on.bucket.increment(&key, 1)?, 1)?;
    on.clean()
}

/// The second draft's counters may be negative.
pub(crate) fn down(on: &Scope) -> Outcome {
    let key = on.key("k");
    for (delta, sum) in [(5, 5), (-7, -2), (2, 0), (i64::MIN, i128::from(i64::MIN))] {
        same("increment", on.bucket.increment(&key, delta)?, sum)?;
    }
    holds("increment below the least fails", on.bucket.increment(&key, -1).is_err())?;
    same("get", on.bucket.get(&key)?, Some(i64::MIN.to_string().into_bytes()))?;
    on.clean()
}

pub(crate) fn no_number(on: &Scope) -> Outcome {
    let key = on.key("k");
    let wrong: [&[u8]; 7] = [b"", b"x", b"1.5", b" 1", b"0x10", &[0xff], &[0, 0, 0, 0, 0, 0, 0, 1]];
    for value in wrong {
        on.bucket.set(&key, value)?;
        let sum = on.bucket.increment(&key, 1);
        holds(&format!("increment of {value:?} fails: {sum:?}"), sum.is_err())?;
        same("what is there", on.bucket.get(&key)?.as_deref(), Some(value))?;
    }
    on.clean()
}

/// The first draft counts up to 2^64-1, the second to 2^63-1: an overflow is an error.
pub(crate) fn overflow(on: &Scope) -> Outcome {
    let key = on.key("k");
    let number = u64::MAX.to_string();
    on.bucket.set(&key, number.as_bytes())?;
    let sum = on.bucket.increment(&key, 1);
    holds(&format!("increment of {number} fails: {sum:?}"), sum.is_err())?;
    same("what is there", on.bucket.get(&key)?, Some(number.into_bytes()))?;
    on.bucket.set(&key, b"9223372036854775806")?;
    same("increment to 2^63-1", on.bucket.increment(&key, 1)?, i128::from(i64::MAX))?;
    on.clean()
}
