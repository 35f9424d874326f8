//! The metadata of a delivery.

use std::time::SystemTime;

use crate::scope::{Outcome, Scope, holds, same};
use crate::seen::milliseconds;

/// How far two clocks of one machine may be apart, in milliseconds.
const CLOCK_SKEW: u64 = 100;

pub(crate) async fn delivery(on: Scope) -> Outcome {
    let before = milliseconds(SystemTime::now());
    on.message("facts").publish().await?;
    let seen = on.one("facts").await?;
    let after = milliseconds(SystemTime::now());
    same("the attempt", seen.attempt, 1)?;
    // The broker's clock is monotonic, the guest's follows corrections of the system's clock.
    holds(
        &format!("{} is between {before} and {after}", seen.accepted),
        before <= seen.accepted.saturating_add(CLOCK_SKEW) && seen.accepted <= after.saturating_add(CLOCK_SKEW),
    )
}

/// Sequences increase with each message.
pub(crate) async fn sequence(on: Scope) -> Outcome {
    let mut last = None;
    for number in 0..5 {
        let name = number.to_string();
        on.message(&name).publish().await?;
        let seen = on.one(&name).await?;
        holds(&format!("{:?} comes after {last:?}", seen.sequence), seen.sequence > last)?;
        last = seen.sequence;
    }
    Ok(())
}

/// Without persistence there is no stream sequence.
pub(crate) async fn no_sequence(on: Scope) -> Outcome {
    on.message("facts").publish().await?;
    same("the sequence", on.one("facts").await?.sequence, None::<u64>)
}

/// A message with an ID is accepted once, and each publication reports success.
pub(crate) async fn id(on: Scope) -> Outcome {
    for round in 0..3 {
        on.message("id").id(on.prefix.as_str()).bytes(format!("round {round}")).publish().await?;
        on.message("other").id(format!("{}-{round}", on.prefix)).publish().await?;
    }
    same("how many of three different ones came", on.wait("other", 3).await?.len(), 3)?;
    same("the attempts of the same one", on.final_attempts("id").await?, vec![1])
}
