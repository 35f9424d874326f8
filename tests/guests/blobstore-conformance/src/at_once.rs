//! Concurrent operations in one instance.

use futures::future::{join_all, try_join_all};
use tempo_sdk_blobstore::{ErrorKind, PutOptions};

use crate::scope::{Differs, Outcome, Scope, holds, same};

/// Each object has different bytes.
pub(crate) async fn many(on: Scope) -> Outcome {
    let one = async |number: u8| -> Outcome {
        let name = on.name(&format!("{number}"));
        let mut writer = on.container.writer(name.as_str(), PutOptions::new());
        for _ in 0..8 {
            writer.write(vec![number; 50_000]).await?;
        }
        same("size", writer.finish().await?.size, 400_000)?;
        let bytes = on.read(&name).await?;
        holds(&format!("object {number} is its own"), bytes == vec![number; 400_000])
    };
    try_join_all((0..16).map(one)).await?;
    on.clean().await
}

/// Of several conditional writes exactly one succeeds, and its bytes are stored.
pub(crate) async fn if_absent(on: Scope) -> Outcome {
    for round in 0..5 {
        let name = on.name(&format!("{round}"));
        let one = async |number: u8| {
            let mut writer = on.container.writer(name.as_str(), PutOptions::new().if_absent());
            writer.write(vec![number; 100_000]).await?;
            writer.finish().await
        };
        let mut winner = None;
        for (number, result) in (0..8).zip(join_all((0..8).map(one)).await) {
            match result {
                Ok(_) if winner.is_none() => winner = Some(number),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => return Err(Differs::new(format_args!("{other:?}, and the first was {winner:?}"))),
            }
        }
        let winner = winner.ok_or_else(|| Differs::new("none of them wrote"))?;
        holds("the bytes are the winner's", on.read(&name).await? == vec![winner; 100_000])?;
    }
    on.clean().await
}
