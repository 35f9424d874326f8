//! Several entries in one call.

use crate::scope::{Outcome, Scope, fails, same};

pub(crate) fn batch(on: &Scope) -> Outcome {
    let [a, b, c] = ["a", "b", "c"].map(|name| on.key(name));
    on.bucket.set(&a, b"old")?;
    on.bucket.set_many(&[(a.clone(), b"1".to_vec()), (b.clone(), Vec::new())])?;
    let got = on.bucket.get_many(&[b.clone(), c.clone(), a.clone(), b.clone()])?;
    let pair = |key: &String, value: &[u8]| Some((key.clone(), value.to_vec()));
    same("get-many", got, vec![pair(&b, b""), None, pair(&a, b"1"), pair(&b, b"")])?;
    on.bucket.delete_many(&[a.clone(), c, a])?;
    same("the keys after delete-many", on.own()?, vec![b])?;
    on.bucket.set_many(&[])?;
    on.bucket.delete_many(&[])?;
    same("get-many of nothing", on.bucket.get_many(&[])?, Vec::new())?;
    on.clean()
}

/// One invalid key or value fails the whole call.
pub(crate) fn bad(on: &Scope) -> Outcome {
    let key = on.key("k");
    let value = || b"v".to_vec();
    for bad in [String::new(), "k".repeat(513)] {
        let keys = [key.clone(), bad.clone()];
        fails("get-many", on.bucket.get_many(&keys))?;
        fails("set-many", on.bucket.set_many(&[(key.clone(), value()), (bad, value())]))?;
        fails("delete-many", on.bucket.delete_many(&keys))?;
    }
    fails("set-many", on.bucket.set_many(&[(key, vec![0; (1 << 20) + 1])]))?;
    on.clean()
}
