//! Compare-and-swap of the second draft: a handle holds the state that a swap expects.

use crate::api::{Cas, Swap};
use crate::scope::{Differs, Outcome, Scope, fails, same};

fn begin(on: &Scope, key: &str) -> Result<Box<dyn Cas>, Differs> {
    let cas = on.bucket.cas(key).ok_or_else(|| Differs::new("this draft has no compare-and-swap"))?;
    Ok(cas?)
}

/// Checks that the swap succeeded.
#[track_caller]
fn done(what: &str, swap: Swap) -> Outcome {
    match swap {
        Swap::Done => Ok(()),
        Swap::Failed(cas) => Err(Differs::new(format_args!("{what}: cas-failed with {:?}", cas.current()))),
    }
}

/// Checks that the swap failed; returns the handle for the next try, whose value must be `now`.
#[track_caller]
fn failed(what: &str, swap: Swap, now: Option<&str>) -> Result<Box<dyn Cas>, Differs> {
    match swap {
        Swap::Done => Err(Differs::new(format_args!("{what}: done, and not cas-failed"))),
        Swap::Failed(cas) => {
            same(what, cas.current()?, now.map(|now| now.as_bytes().to_vec()))?;
            Ok(cas)
        }
    }
}

pub(crate) fn swap(on: &Scope) -> Outcome {
    let key = on.key("k");
    on.bucket.set(&key, b"a")?;
    let (first, second) = (begin(on, &key)?, begin(on, &key)?);
    same("current", first.current()?, Some(b"a".to_vec()))?;
    same("current again", first.current()?, Some(b"a".to_vec()))?;
    done("the first swap", first.swap(b"b")?)?;
    let second = failed("the second swap", second.swap(b"c")?, Some("b"))?;
    same("get", on.bucket.get(&key)?, Some(b"b".to_vec()))?;
    done("the swap with the new handle", second.swap(b"c")?)?;
    same("get", on.bucket.get(&key)?, Some(b"c".to_vec()))?;
    on.clean()
}

/// A handle without an entry: the swap succeeds if there is still no entry.
pub(crate) fn nothing(on: &Scope) -> Outcome {
    let key = on.key("k");
    let (first, second) = (begin(on, &key)?, begin(on, &key)?);
    same("current of nothing", first.current()?, None)?;
    done("a swap of nothing", first.swap(b"a")?)?;
    let third = failed("a swap of nothing any more", second.swap(b"b")?, Some("a"))?;
    done("a swap after that", third.swap(b"b")?)?;
    same("get", on.bucket.get(&key)?, Some(b"b".to_vec()))?;
    on.clean()
}

/// A restored value is another state, whichever client wrote it.
pub(crate) fn again(on: &Scope) -> Outcome {
    let key = on.key("k");
    on.bucket.set(&key, b"1")?;
    let cas = begin(on, &key)?;
    on.bucket.set(&key, b"2")?;
    on.bucket.set(&key, b"1")?;
    let cas = failed("a swap after two writes", cas.swap(b"x")?, Some("1"))?;
    on.bucket.increment(&key, 1)?;
    let cas = failed("a swap after an increment", cas.swap(b"x")?, Some("2"))?;
    on.bucket.set_many(&[(key.clone(), b"3".to_vec())])?;
    failed("a swap after a batch", cas.swap(b"x")?, Some("3"))?;
    same("get", on.bucket.get(&key)?, Some(b"3".to_vec()))?;
    on.clean()
}

pub(crate) fn after_delete(on: &Scope) -> Outcome {
    let key = on.key("k");
    on.bucket.set(&key, b"a")?;
    let (first, second) = (begin(on, &key)?, begin(on, &key)?);
    on.bucket.delete(&key)?;
    let first = failed("a swap after delete", first.swap(b"x")?, None)?;
    same("get", on.bucket.get(&key)?, None)?;
    on.bucket.set(&key, b"a")?;
    failed("a swap of what was deleted and written again", second.swap(b"x")?, Some("a"))?;
    failed("a swap of nothing, now that there is something", first.swap(b"x")?, Some("a"))?;
    on.clean()
}

/// An invalid key has no handle.
pub(crate) fn bad(on: &Scope) -> Outcome {
    for key in [String::new(), "k".repeat(513)] {
        let Some(cas) = on.bucket.cas(&key) else { return Err(Differs::new("this draft has no compare-and-swap")) };
        fails("new of a bad key", cas.map(drop))?;
    }
    on.clean()
}
