//! Several messages in one call.

use tempo_sdk_messaging::{Error, ErrorKind, publish_many};

use crate::scope::{Outcome, Scope, fails, holds, same};
use crate::seen::Payload;

pub(crate) async fn all(on: Scope) -> Outcome {
    let messages = (0..500).map(|number| on.message("many").bytes(number.to_string()));
    let results = publish_many(messages).await;
    same("how many results there are", results.len(), 500)?;
    results.into_iter().collect::<Result<(), Error>>()?;
    let mut seen = on.wait("many", 500).await?;
    same("how many deliveries there are", seen.len(), 500)?;
    // They are handled concurrently, so the records are in any order, but the stream keeps theirs.
    seen.sort_by_key(|seen| seen.sequence);
    let kept = seen.iter().all(|seen| seen.sequence.is_some());
    for number in 0..500_usize {
        let payload = Payload::of(number.to_string().as_bytes());
        let place = seen.iter().position(|seen| seen.payload == payload);
        holds(&format!("message {number} came"), place.is_some())?;
        if kept {
            same("its place in the stream", place, Some(number))?;
        }
    }
    Ok(())
}

/// An invalid message does not affect the others.
pub(crate) async fn some_bad(on: Scope) -> Outcome {
    let bad = [on.message("some").bytes(vec![0; (1 << 20) + 1]), on.message("a..b")];
    let [large, topic] = bad;
    let messages =
        [on.message("some").bytes("0"), large, on.message("some").bytes("2"), topic, on.message("some").bytes("4")];
    let mut results = publish_many(messages).await.into_iter();
    let mut next = || results.next().unwrap_or(Ok(()));
    next()?;
    fails("the large one", next(), &[ErrorKind::TooLarge])?;
    next()?;
    fails("the one on no topic", next(), &[ErrorKind::InvalidArgument])?;
    next()?;
    holds("no result is left", results.next().is_none())?;
    let mut came: Vec<_> = on.wait("some", 3).await?.into_iter().map(|seen| seen.payload).collect();
    came.sort_by_key(|payload| format!("{payload:?}"));
    let mut wanted = ["0", "2", "4"].map(|text| Payload::of(text.as_bytes()));
    wanted.sort_by_key(|payload| format!("{payload:?}"));
    same("what came", came, wanted.to_vec())
}

pub(crate) async fn none(_: Scope) -> Outcome {
    same("how many results there are", publish_many([]).await.len(), 0)
}
