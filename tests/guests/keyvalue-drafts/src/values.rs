//! Values: any bytes up to 1 MiB, read back as they were written.

use crate::scope::{Outcome, Scope, fails, holds, same};

const MIB: usize = 1 << 20;

/// Empty, zeros, every byte, and invalid UTF-8.
pub(crate) fn bytes(on: &Scope) -> Outcome {
    let key = on.key("k");
    let values: [Vec<u8>; 6] =
        [vec![], vec![0], (0..=255).collect(), vec![0xff, 0xfe, 0x80], b"\r\n".to_vec(), vec![7; 70_000]];
    for value in values {
        on.bucket.set(&key, &value)?;
        same("get", on.bucket.get(&key)?, Some(value))?;
        same("exists", on.bucket.exists(&key)?, true)?;
    }
    on.clean()
}

pub(crate) fn overwrite_and_delete(on: &Scope) -> Outcome {
    let key = on.key("k");
    for round in 0..2 {
        same(&format!("get before set, {round}"), on.bucket.get(&key)?, None)?;
        same("exists before set", on.bucket.exists(&key)?, false)?;
        for value in ["a longer one", "short", ""] {
            on.bucket.set(&key, value.as_bytes())?;
            same("get", on.bucket.get(&key)?, Some(value.into()))?;
        }
        same("keys", on.own()?, vec![key.clone()])?;
        on.bucket.delete(&key)?;
        on.bucket.delete(&key)?;
        same("keys after delete", on.own()?, Vec::<String>::new())?;
    }
    on.clean()
}

pub(crate) fn largest(on: &Scope) -> Outcome {
    let key = on.key("k");
    let value = |seed: u8| -> Vec<u8> { (0_u8..=250).cycle().map(|byte| byte ^ seed).take(MIB).collect() };
    let is = |seed: u8| -> Outcome {
        let got = on.bucket.get(&key)?;
        holds("1 MiB is what was written", got.as_ref() == Some(&value(seed)))
    };
    on.bucket.set(&key, &value(1))?;
    is(1)?;
    on.bucket.set_many(&[(key.clone(), value(2))])?;
    is(2)?;
    if let Some(cas) = on.bucket.cas(&key) {
        holds("1 MiB is swapped", matches!(cas?.swap(&value(3))?, crate::api::Swap::Done))?;
        is(3)?;
    }
    on.clean()
}

/// One byte more is rejected, and leaves the entry unchanged.
pub(crate) fn too_large(on: &Scope) -> Outcome {
    let key = on.key("k");
    let large = vec![1; MIB + 1];
    on.bucket.set(&key, b"kept")?;
    fails("set", on.bucket.set(&key, &large))?;
    fails("set-many", on.bucket.set_many(&[(key.clone(), large.clone())]))?;
    if let Some(cas) = on.bucket.cas(&key) {
        fails("swap", cas?.swap(&large).map(drop))?;
    }
    same("get", on.bucket.get(&key)?, Some(b"kept".to_vec()))?;
    on.clean()
}
