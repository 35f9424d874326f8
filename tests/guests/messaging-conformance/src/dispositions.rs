//! The disposition of a message, by the end of its handler.

use crate::scope::{Outcome, Scope, holds, same};
use crate::seen::Seen;

/// Checks that the second delivery is the same message, with the attempt number incremented.
fn is_again(first: &Seen, second: &Seen) -> Outcome {
    same("the attempts", (first.attempt, second.attempt), (1, 2))?;
    let again = |seen: &Seen| Seen { number: 0, attempt: 0, at: 0, ..seen.clone() };
    same("the second delivery", again(second), again(first))
}

/// Checks that there are two deliveries, and no third.
async fn twice(on: &Scope, act: &str) -> Result<(Seen, Seen), crate::scope::Differs> {
    let message = on.with_act("twice", act).key("k").content_type("a/b").header("traceparent", "00-1-2-01");
    message.bytes("payload").publish().await?;
    let seen = on.wait("twice", 2).await?;
    let [first, second] = seen.as_slice() else {
        return Err(crate::scope::Differs::new(format_args!("not two deliveries: {seen:?}")));
    };
    is_again(first, second)?;
    same("the attempts in the end", on.final_attempts("twice").await?, vec![1, 2])?;
    Ok((first.clone(), second.clone()))
}

pub(crate) async fn retry(on: Scope) -> Outcome {
    twice(&on, "retry,ack").await.map(drop)
}

/// A retry is not delivered before its delay.
pub(crate) async fn delay(on: Scope) -> Outcome {
    let (first, second) = twice(&on, "retry:1500,ack").await?;
    let between = second.at.saturating_sub(first.at);
    holds(&format!("{between} ms between the deliveries are 1500 or more"), between >= 1_490)
}

/// Any error by `?` is a retry.
pub(crate) async fn error(on: Scope) -> Outcome {
    twice(&on, "fail:disk on fire,ack").await.map(drop)
}

pub(crate) async fn trap(on: Scope) -> Outcome {
    twice(&on, "panic,ack").await.map(drop)
}

/// After the last attempt the message becomes a dead letter.
pub(crate) async fn attempts(on: Scope) -> Outcome {
    on.with_act("poison", "retry:0").publish().await?;
    on.with_act("trap", "panic").publish().await?;
    on.wait("poison", 3).await?;
    on.wait("trap", 3).await?;
    same("the attempts", on.final_attempts("poison").await?, vec![1, 2, 3])?;
    same("the attempts that trap", on.final_attempts("trap").await?, vec![1, 2, 3])
}

pub(crate) async fn reject(on: Scope) -> Outcome {
    on.with_act("rejected", "reject:not today").publish().await?;
    on.wait("rejected", 1).await?;
    same("the attempts", on.final_attempts("rejected").await?, vec![1])
}

/// A failing handler does not affect others.
pub(crate) async fn neighbours(on: Scope) -> Outcome {
    for number in 0..20 {
        let act = match number % 4 {
            0 => "panic",
            1 => "fail:as asked",
            2 => "reject:as asked",
            _ => "sleep:50",
        };
        on.with_act(&number.to_string(), act).publish().await?;
    }
    for number in (3..20).step_by(4) {
        let name = number.to_string();
        on.wait(&name, 1).await?;
        same("the attempts of a good one", on.final_attempts(&name).await?, vec![1])?;
    }
    Ok(())
}

/// Without persistence there is no redelivery.
pub(crate) async fn forgotten(on: Scope) -> Outcome {
    for (number, act) in ["retry:0", "fail:as asked", "panic"].into_iter().enumerate() {
        let name = number.to_string();
        on.with_act(&name, act).publish().await?;
        on.wait(&name, 1).await?;
        same("the attempts", on.final_attempts(&name).await?, vec![1])?;
    }
    Ok(())
}
