//! Ranges of an object, at the edges of the object and of its chunks.

use std::ops::{Bound, RangeBounds};

use tempo_sdk_blobstore::ErrorKind;

use crate::scope::{Outcome, Scope, fails, holds, pattern, same};

const SIZE: u64 = 200_000;

/// The first byte and the one after the last.
const RANGES: &[(u64, u64)] = &[
    (0, 0),
    (0, 1),
    (0, 65_535),
    (0, 65_536),
    (0, 65_537),
    (1, 2),
    (1, SIZE - 1),
    (65_535, 65_537),
    (65_536, 131_072),
    (100_000, 100_000),
    (131_071, 131_073),
    (SIZE - 1, SIZE),
    (SIZE - 1, SIZE + 1),
    (SIZE - 1, u64::MAX),
    (0, SIZE),
    (0, u64::MAX),
    (SIZE, SIZE),
    (SIZE, SIZE + 1),
    (SIZE + 1, SIZE + 2),
    (u64::MAX - 1, u64::MAX),
    (u64::MAX, u64::MAX),
];

pub(crate) async fn ranges(on: Scope) -> Outcome {
    let name = on.name("n");
    on.container.put(name.as_str(), pattern(0, SIZE)).await?;
    for (start, end) in RANGES {
        part(&on, &name, *start..*end, *start, *end).await?;
    }
    part(&on, &name, .., 0, SIZE).await?;
    part(&on, &name, 65_530.., 65_530, SIZE).await?;
    part(&on, &name, SIZE.., SIZE, SIZE).await?;
    part(&on, &name, u64::MAX.., SIZE, SIZE).await?;
    part(&on, &name, ..=0, 0, 1).await?;
    part(&on, &name, 7..=u64::MAX, 7, SIZE).await?;
    part(&on, &name, (Bound::Excluded(7), Bound::Unbounded), 8, SIZE).await?;
    on.clean().await
}

/// Checks that `range` returns the bytes `start..end`, as far as they exist.
async fn part(on: &Scope, name: &str, range: impl RangeBounds<u64>, start: u64, end: u64) -> Outcome {
    let what = format!("the bytes {start}..{end}");
    let wanted = pattern(start.min(SIZE), end.min(SIZE));
    let object = on.container.get_range(name, range).await?;
    same(&format!("size for {what}"), object.info.size, SIZE)?;
    same(&format!("remaining for {what}"), object.reader.remaining(), wanted.len() as u64)?;
    let got = object.reader.bytes().await?;
    same(&format!("length of {what}"), got.len(), wanted.len())?;
    holds(&format!("{what} are right"), got == wanted)
}

/// Every range of an empty object is empty; a missing object has none.
pub(crate) async fn of_nothing(on: Scope) -> Outcome {
    let name = on.name("n");
    fails("a part of no object", on.container.get_range(name.as_str(), 0..1).await, ErrorKind::NoSuchObject)?;
    on.container.put(name.as_str(), "").await?;
    for (start, end) in [(0, 0), (0, 1), (1, 2), (0, u64::MAX)] {
        let object = on.container.get_range(name.as_str(), start..end).await?;
        same("size", object.info.size, 0)?;
        same("a part of nothing", object.reader.bytes().await?.len(), 0)?;
    }
    on.clean().await
}
