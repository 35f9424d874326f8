//! TTLs. The checks allow a resolution of seconds.

use std::time::Duration;

use tempo_sdk_http::sleep;
use tempo_sdk_keyvalue::{Error, Expected, SetOptions, Swap, UpdateOptions};

use crate::scope::{Differs, Outcome, Scope, fails, holds, same};

const SECOND: Duration = Duration::from_secs(1);

fn lives(seconds: u32) -> SetOptions {
    SetOptions::new().ttl(SECOND * seconds)
}

/// Waits until `key` has expired. The host's request timeout bounds the wait.
async fn gone(on: &Scope, key: &str) -> Outcome {
    while on.bucket.exists(key).await? {
        sleep(SECOND / 10).await;
    }
    Ok(())
}

/// An expired entry is absent for every operation.
pub(crate) async fn ends(on: Scope) -> Outcome {
    let [key, counter, long] = ["k", "counter", "long"].map(|name| on.key(name));
    on.bucket.set_with(long.as_str(), "long", lives(3600)).await?;
    on.bucket.set_with(counter.as_str(), "41", lives(1)).await?;
    on.bucket.set_with(key.as_str(), "value", lives(1)).await?;
    let entry = on.bucket.entry(key.as_str()).await?;
    gone(&on, &key).await?;
    gone(&on, &counter).await?;
    same("get", on.bucket.get(key.as_str()).await?, None)?;
    same("current", on.bucket.entry(key.as_str()).await?, None)?;
    same("get-many", on.bucket.get_many([key.as_str()]).await?, vec![None])?;
    same("list", on.all("").await?, vec![long.clone()])?;
    same("increment", on.bucket.increment(counter.as_str(), 1).await?, 1)?;
    let swap = on.bucket.swap(key.as_str(), "new", Expected::new().value("value")).await?;
    same("swap by value", swap, tempo_sdk_keyvalue::Swap::Stale(None))?;
    // On a slow machine it may have expired before the read.
    if let Some(entry) = entry {
        let swap = on.bucket.swap(key.as_str(), "new", Expected::new().version(&entry.version)).await?;
        same("swap by version", swap, tempo_sdk_keyvalue::Swap::Stale(None))?;
    }
    same("one that lives longer", on.bucket.get(long.as_str()).await?, Some(b"long".to_vec()))?;
    on.clean().await
}

/// A lock that expires: if-not-exists fails while it is held, and succeeds after its TTL.
pub(crate) async fn lock(on: Scope) -> Outcome {
    let [held, short] = ["held", "short"].map(|name| on.key(name));
    on.bucket.set_with(held.as_str(), "me", lives(3600).if_absent()).await?;
    let again = on.bucket.set_with(held.as_str(), "you", lives(1).if_absent()).await;
    fails("a lock that is held", again, Error::PreconditionFailed)?;
    on.bucket.set_with(short.as_str(), "me", lives(1).if_absent()).await?;
    gone(&on, &short).await?;
    on.bucket.set_with(short.as_str(), "you", lives(3600).if_absent()).await?;
    same("who has it", on.bucket.get(short.as_str()).await?, Some(b"you".to_vec()))?;
    same("who has the other", on.bucket.get(held.as_str()).await?, Some(b"me".to_vec()))?;
    on.clean().await
}

/// A write without a TTL removes the previous one; one with a TTL restarts it.
pub(crate) async fn ended_by_a_write(on: Scope) -> Outcome {
    let names = ["set", "set-many", "swap", "update", "swap-with", "longer"];
    let keys = names.map(|name| on.key(name));
    let [set, many, swap, update, with, longer] = &keys;
    for key in &keys {
        on.bucket.set_with(key.as_str(), "1", lives(10)).await?;
    }
    on.bucket.set(set.as_str(), "2").await?;
    on.bucket.set_many([(many.as_str(), "2")]).await?;
    let _ = on.bucket.swap(swap.as_str(), "2", Expected::new().value("1")).await?;
    on.bucket.update(update.as_str(), |_| Some("2")).await?;
    let another = UpdateOptions::new().ttl(SECOND * 3600);
    let _ = on.bucket.swap_with(with.as_str(), "2", Expected::new().value("1"), another).await?;
    on.bucket.set_with(longer.as_str(), "2", lives(3600)).await?;
    // Written last, with the same TTL: once it has expired, theirs would have expired too.
    let last = on.key("~last");
    on.bucket.set_with(last.as_str(), "1", lives(11)).await?;
    gone(&on, &last).await?;
    for (name, key) in names.iter().zip(&keys) {
        same(&format!("written again by {name}"), on.bucket.get(key.as_str()).await?, Some(b"2".to_vec()))?;
    }
    on.clean().await
}

/// An increment keeps the TTL, as do a swap and an update that are asked to.
pub(crate) async fn kept(on: Scope) -> Outcome {
    let keep = UpdateOptions::new().keep_ttl();
    let names = ["increment", "swap", "update"];
    for (seconds, is_kept) in [(3600, true), (1, false)] {
        let keys = names.map(|name| on.key(&format!("{name}-{seconds}")));
        let [counter, swap, update] = &keys;
        for key in &keys {
            on.bucket.set_with(key.as_str(), "1", lives(seconds)).await?;
        }
        let sum = on.bucket.increment(counter.as_str(), 1).await?;
        let swapped = on.bucket.swap_with(swap.as_str(), "2", Expected::new().value("1"), keep).await?;
        let updated = on.bucket.update_with(update.as_str(), keep, |old| old.map(|_| "2")).await?;
        if is_kept {
            same("sum", sum, 2)?;
            same("swap", swapped, Swap::Done)?;
            same("update", updated, Some(b"2".to_vec()))?;
            for key in &keys {
                same(key, on.bucket.get(key.as_str()).await?, Some(b"2".to_vec()))?;
            }
        } else if sum == 2 {
            // On a slow machine they have expired before, and the counter is a new one.
            for key in &keys {
                gone(&on, key).await?;
            }
        }
    }
    let [new, lasting] = ["new", "lasting"].map(|name| on.key(name));
    on.bucket.update_with(new.as_str(), keep.ttl(SECOND), |_| Some("1")).await?;
    gone(&on, &new).await?;
    on.bucket.update_with(lasting.as_str(), keep, |_| Some("1")).await?;
    same("an update of nothing", on.bucket.get(lasting.as_str()).await?, Some(b"1".to_vec()))?;
    let zero = on.bucket.swap_with(
        lasting.as_str(),
        "2",
        Expected::new().value("1"),
        UpdateOptions::new().ttl(Duration::ZERO),
    );
    fails("a life of 0 ms", zero.await, Error::InvalidArgument)?;
    let any = on.bucket.swap_with(lasting.as_str(), "2", Expected::new(), keep).await;
    fails("a swap of anything", any, Error::InvalidArgument)?;
    on.clean().await
}

/// A TTL of zero is rejected; an infinite one is accepted or rejected, and never truncated.
pub(crate) async fn edge(on: Scope) -> Outcome {
    let [zero, endless] = ["zero", "endless"].map(|name| on.key(name));
    let set = on.bucket.set_with(zero.as_str(), "v", SetOptions::new().ttl(Duration::ZERO)).await;
    fails("a life of 0 ms", set, Error::InvalidArgument)?;
    same("exists", on.bucket.exists(zero.as_str()).await?, false)?;
    let kept = match on.bucket.set_with(endless.as_str(), "v", SetOptions::new().ttl(Duration::MAX)).await {
        Ok(()) => true,
        Err(Error::InvalidArgument) => false,
        Err(error) => return Err(Differs::new(format_args!("a life of 2^64-1 ms: {error:?}"))),
    };
    holds("a life of 2^64-1 ms has not ended", on.bucket.exists(endless.as_str()).await? == kept)?;
    on.clean().await
}
