//! Names: any UTF-8 of 1 to 1,024 bytes is valid, anything else is not.

use std::collections::BTreeSet;

use tempo_sdk_blobstore::{Container, ErrorKind, PutOptions};

use crate::odd_names::ODD;
use crate::scope::{Outcome, Scope, fails, holds, list, same};

/// All of them in one container, each with a different value. They are the whole name: a prefix would hide special
/// characters.
pub(crate) async fn odd(on: Scope) -> Outcome {
    let container = &on.container;
    for name in ODD {
        container.delete(*name).await?;
    }
    let before: BTreeSet<String> = list(container, "").await?.into_iter().collect();
    for name in ODD {
        same(&format!("the name of {name:?}"), container.put(*name, value(name)).await?.name, *name)?;
    }
    for name in ODD {
        same(&format!("what is under {name:?}"), on.read(name).await?, value(name))?;
        let info = container.stat(*name).await?;
        same(&format!("stat of {name:?}"), info.map(|info| info.name), Some((*name).to_owned()))?;
        let under = list(container, name).await?;
        let wanted: BTreeSet<&str> = ODD.iter().filter(|other| other.starts_with(name)).copied().collect();
        let found: BTreeSet<&str> = under.iter().filter(|found| !before.contains(*found)).map(String::as_str).collect();
        same(&format!("the names that begin with {name:?}"), found, wanted)?;
    }
    // Deleting one must not delete its neighbours.
    for (index, name) in ODD.iter().enumerate() {
        container.delete(*name).await?;
        on.is_gone(name).await?;
        if let Some(next) = ODD.get(index + 1) {
            holds(&format!("{next:?} outlives {name:?}"), container.stat(*next).await?.is_some())?;
        }
    }
    let after: BTreeSet<String> = list(container, "").await?.into_iter().collect();
    same("the names at the end", after, before)
}

fn value(name: &str) -> Vec<u8> {
    format!("the value of {name:?}").into_bytes()
}

/// 1,024 bytes are valid for every operation; a difference in the last byte is significant.
pub(crate) async fn longest(on: Scope) -> Outcome {
    for (unit, count) in [("n", 1024), ("\u{e4}", 512), ("\u{1f980}", 256)] {
        are_a_name(&on, unit, count).await?;
    }
    Ok(())
}

/// Characters that backends encode with two characters.
const GROWING: &[&str] = &["/", "\0", "."];

/// The longest names may contain any characters, unless the container's keys are limited.
pub(crate) async fn longest_odd(on: Scope) -> Outcome {
    for unit in GROWING {
        are_a_name(&on, unit, 1024).await?;
    }
    Ok(())
}

/// If keys are limited, every operation rejects a name that is too long.
pub(crate) async fn longest_odd_refused(on: Scope) -> Outcome {
    let good = on.name("good");
    on.container.put(good.as_str(), "good").await?;
    let all = async {
        for unit in GROWING {
            refused(&on.container, &unit.repeat(1024), &good).await?;
        }
        same("what is there", on.all("").await?, ["good"])
    };
    let outcome = all.await;
    on.clean().await?;
    outcome
}

async fn are_a_name(on: &Scope, unit: &str, count: usize) -> Outcome {
    let container = &on.container;
    let name = unit.repeat(count);
    let other = format!("{}+", unit.repeat(1023 / unit.len()));
    container.put(name.as_str(), "1").await?;
    container.copy(name.as_str(), other.as_str()).await?;
    container.put(other.as_str(), "2").await?;
    same("get of 1,024 bytes", on.read(&name).await?, b"1")?;
    same("get of its neighbour", on.read(&other).await?, b"2")?;
    same("list by 1,024 bytes", list(container, &name).await?, vec![name.clone()])?;
    for name in [&name, &other] {
        container.delete(name.as_str()).await?;
        on.is_gone(name).await?;
    }
    Ok(())
}

/// Every operation rejects the empty name and one of 1,025 bytes.
pub(crate) async fn bad(on: Scope) -> Outcome {
    let good = on.name("good");
    on.container.put(good.as_str(), "good").await?;
    for name in [String::new(), "n".repeat(1025), "\u{e4}".repeat(513), "n".repeat(100_000)] {
        refused(&on.container, &name, &good).await?;
    }
    same("what is there", on.all("").await?, ["good"])?;
    on.clean().await
}

async fn refused(container: &Container, name: &str, good: &str) -> Outcome {
    let what = |operation: &str| format!("{operation} of a name of {} bytes", name.len());
    let wanted = ErrorKind::InvalidArgument;
    fails(&what("stat"), container.stat(name).await, wanted)?;
    fails(&what("get"), container.get(name).await, wanted)?;
    fails(&what("get of a range"), container.get_range(name, 1..2).await, wanted)?;
    fails(&what("put"), container.put(name, "value").await, wanted)?;
    fails(&what("put of nothing"), container.put(name, "").await, wanted)?;
    fails(&what("put"), container.put_with(name, "value", PutOptions::new().if_absent()).await, wanted)?;
    fails(&what("delete"), container.delete(name).await, wanted)?;
    fails(&what("copy"), container.copy(name, good).await, wanted)?;
    fails(&what("copy to it"), container.copy(good, name).await, wanted)
}
