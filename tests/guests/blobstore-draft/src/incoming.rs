//! Incoming values: ranges, at once and as streams.

use crate::api::{IncomingValue, InputStream, StreamError, empty, part, put};
use crate::scope::{Differs, Outcome, fails, holds, same};

const SIZE: u64 = 100_000;

fn pattern() -> Vec<u8> {
    (0..=250).cycle().take(100_000).collect()
}

/// Both ends are included.
pub(crate) fn ranges() -> Outcome {
    let container = empty()?;
    put(&container, "n", b"0123456789")?;
    for (start, end, wanted) in [(0, 0, "0"), (0, 3, "0123"), (3, 5, "345"), (9, 9, "9"), (0, 9, "0123456789")] {
        same(&format!("the bytes {start}..={end}"), part(&container, "n", start, end)?, wanted.as_bytes())?;
    }
    Ok(container.clear()?)
}

/// A range is clamped to the object; a range that ends before it starts is invalid.
pub(crate) fn edges() -> Outcome {
    let container = empty()?;
    put(&container, "n", b"0123456789")?;
    put(&container, "empty", b"")?;
    for (start, end, wanted) in
        [(9, 10, "9"), (9, u64::MAX, "9"), (10, 10, ""), (10, u64::MAX, ""), (u64::MAX, u64::MAX, "")]
    {
        let value = container.get_data("n", start, end)?;
        same(&format!("size of {start}..={end}"), value.size(), wanted.len() as u64)?;
        let bytes = IncomingValue::incoming_value_consume_sync(value)?;
        same(&format!("the bytes {start}..={end}"), bytes, wanted.as_bytes())?;
        same("of nothing", part(&container, "empty", start, end)?, b"")?;
    }
    fails("the bytes 5..=4", container.get_data("n", 5, 4))?;
    Ok(container.clear()?)
}

/// The stream has the same bytes. If the object is deleted meanwhile, the stream is complete or fails: it is never
/// short.
pub(crate) fn consume() -> Outcome {
    let container = empty()?;
    put(&container, "n", &pattern())?;
    let (whole, rest) = (container.get_data("n", 0, u64::MAX)?, container.get_data("n", 65_530, SIZE)?);
    same("size", whole.size(), SIZE)?;
    same("size of the rest", rest.size(), SIZE - 65_530)?;
    let whole = IncomingValue::incoming_value_consume_async(whole)?;
    let rest = IncomingValue::incoming_value_consume_async(rest)?;
    let first = whole.blocking_read(10)?;
    same("the first bytes", first.as_slice(), pattern().get(..first.len()).unwrap_or_default())?;
    let left = drain(&whole)?;
    holds("the stream is whole", [first, left].concat() == pattern())?;
    holds("the rest is whole", Some(drain(&rest)?.as_slice()) == pattern().get(65_530..))?;
    let gone = IncomingValue::incoming_value_consume_async(container.get_data("n", 0, u64::MAX)?)?;
    let first = gone.blocking_read(10)?;
    container.delete_object("n")?;
    drain(&gone).map_or(Ok(()), |left| holds("what has gone is whole", [first, left].concat() == pattern()))
}

/// Reads the remaining bytes.
fn drain(from: &InputStream) -> Result<Vec<u8>, Differs> {
    let mut all = Vec::new();
    loop {
        match from.blocking_read(10_000) {
            Ok(bytes) => all.extend(bytes),
            Err(StreamError::Closed) => return Ok(all),
            Err(error) => return Err(error.into()),
        }
    }
}
