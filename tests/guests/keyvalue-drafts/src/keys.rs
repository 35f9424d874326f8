//! Keys: any UTF-8 of 1 to 512 bytes is valid, anything else is not.

use crate::api::Error;
use crate::scope::{Differs, Outcome, Scope, fails, same};

/// Keys with characters that are special to file systems, NATS subjects, URLs and C, and pairs that some systems treat
/// as equal.
const ODD: &[&str] = &[
    ".",
    "..",
    "/",
    "//",
    "/a",
    "a/",
    "a//b",
    "a/b",
    "a/../b",
    "../a",
    "a\\b",
    "CON",
    "*",
    ">",
    "a.>",
    "a.b",
    ".a",
    "a.",
    "a..b",
    "$KV",
    "_",
    "-",
    "=",
    "%",
    "%2F",
    "%00",
    "+",
    "&",
    "?",
    "#",
    ":",
    "\"",
    "'",
    "\0",
    "a\0",
    "a\0b",
    "\u{1}",
    "\u{7f}",
    "\n",
    " ",
    " a",
    "a ",
    "a b",
    "a",
    "A",
    "aa",
    "\u{e4}",
    "a\u{308}",
    "\u{c4}",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "\u{1f980}",
    "\u{65e5}\u{672c}",
    "0",
    "default",
];

/// Opening a name that is not configured fails, and the empty name is the default.
pub(crate) fn names(on: &Scope) -> Outcome {
    for name in ["nowhere", " ", "Default", "../default"] {
        if !matches!(on.api.open(name), Err(Error::NoSuchStore)) {
            return Err(Differs::new(format_args!("open {name:?} is not no-such-store")));
        }
    }
    let key = on.key("k");
    for name in ["default", ""] {
        on.api.open(name)?.set(&key, name.as_bytes())?;
        same("what another handle wrote", on.bucket.get(&key)?, Some(name.as_bytes().to_vec()))?;
    }
    on.clean()
}

/// All of them in one bucket, each with a different value. They are the whole key: a prefix would hide special
/// characters.
pub(crate) fn odd(on: &Scope) -> Outcome {
    let bucket = &on.bucket;
    for key in ODD {
        bucket.delete(key)?;
    }
    let before = on.all()?;
    for key in ODD {
        bucket.set(key, value(key).as_bytes())?;
    }
    for key in ODD {
        same(&format!("get {key:?}"), bucket.get(key)?, Some(value(key).into_bytes()))?;
        same(&format!("exists {key:?}"), bucket.exists(key)?, true)?;
    }
    let mut wanted = before.clone();
    wanted.extend(ODD.iter().map(|key| (*key).to_owned()));
    wanted.sort();
    same("the keys in the list", on.all()?, wanted)?;
    // Deleting one must not delete its neighbours.
    for (index, key) in ODD.iter().enumerate() {
        bucket.delete(key)?;
        same(&format!("{key:?} exists after delete"), bucket.exists(key)?, false)?;
        if let Some(next) = ODD.get(index + 1) {
            same(&format!("{next:?} exists after {key:?} was deleted"), bucket.exists(next)?, true)?;
        }
    }
    same("the keys at the end", on.all()?, before)
}

fn value(key: &str) -> String {
    format!("the value of {key:?}")
}

/// 512 bytes are a valid key, of any characters.
pub(crate) fn longest(on: &Scope) -> Outcome {
    for (unit, count) in [("k", 512), ("\u{e4}", 256), ("\u{1f980}", 128), ("/", 512), ("\0", 512), (".", 512)] {
        let key = unit.repeat(count);
        on.bucket.delete(&key)?;
        on.bucket.set(&key, b"1")?;
        same("get of 512 bytes", on.bucket.get(&key)?, Some(b"1".to_vec()))?;
        same("increment of 512 bytes", on.bucket.increment(&key, 1)?, 2)?;
        same("whether 512 bytes are listed", on.all()?.contains(&key), true)?;
        on.bucket.delete(&key)?;
        same("exists of 512 bytes", on.bucket.exists(&key)?, false)?;
    }
    Ok(())
}

/// Every operation rejects the empty key and one of 513 bytes.
pub(crate) fn bad(on: &Scope) -> Outcome {
    let bucket = &on.bucket;
    for key in [String::new(), "k".repeat(513), "\u{e4}".repeat(257), "k".repeat(100_000)] {
        let what = |operation: &str| format!("{operation} of a key of {} bytes", key.len());
        fails(&what("get"), bucket.get(&key))?;
        fails(&what("set"), bucket.set(&key, b"v"))?;
        fails(&what("delete"), bucket.delete(&key))?;
        fails(&what("exists"), bucket.exists(&key))?;
        fails(&what("increment"), bucket.increment(&key, 1))?;
        fails(&what("get-many"), bucket.get_many(std::slice::from_ref(&key)))?;
        fails(&what("set-many"), bucket.set_many(&[(key.clone(), b"v".to_vec())]))?;
        fails(&what("delete-many"), bucket.delete_many(std::slice::from_ref(&key)))?;
        same(&what("list"), on.all()?.contains(&key), false)?;
    }
    Ok(())
}
