//! The checks.

use crate::bindings::wasmcloud::messaging::types::Error;
use crate::handle::describe;
use crate::scope::{Differs, Outcome, Scope, holds, same};
use crate::send;

const MIB: usize = 1 << 20;

/// Publishes, and compares the delivered message.
async fn comes(on: &Scope, name: &str, pieces: &[&[u8]]) -> Outcome {
    let subject = on.subject(name);
    send::publish(&subject, None, pieces).await?;
    same("what came", on.wait(&subject, 1).await?, vec![describe(&pieces.concat(), false)])
}

/// Empty, zeros, every byte, and invalid UTF-8.
pub(crate) async fn bytes(on: Scope) -> Outcome {
    let payloads: [Vec<u8>; 5] = [vec![], vec![0], (0..=255).collect(), vec![0xff, 0xfe, 0x80], vec![7; 70_000]];
    for (number, payload) in payloads.iter().enumerate() {
        comes(&on, &number.to_string(), &[payload]).await?;
    }
    Ok(())
}

/// The body is complete, however it was written.
pub(crate) async fn pieces(on: Scope) -> Outcome {
    comes(&on, "a", &[b"one ", b"", b"two ", b"three"]).await?;
    let bytes: Vec<u8> = (0..=255).collect();
    let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
    comes(&on, "b", &pieces).await
}

pub(crate) async fn largest(on: Scope) -> Outcome {
    let payload: Vec<u8> = (0_u8..=250).cycle().take(MIB).collect();
    comes(&on, "largest", &payload.chunks(100_000).collect::<Vec<_>>()).await
}

/// One byte more than 1 MiB.
pub(crate) async fn too_large(on: Scope) -> Outcome {
    let large = vec![1; MIB + 1];
    let subject = on.subject("large");
    for pieces in [vec![large.as_slice()], large.chunks(100_000).collect()] {
        let published = send::publish(&subject, None, &pieces).await;
        fails(published, |error| matches!(error, Error::MessageTooLarge))?;
        let asked = send::request(&subject, &pieces, Some(300)).await;
        fails(asked, |error| matches!(error, Error::MessageTooLarge))?;
    }
    same("what came", on.final_count(&subject).await?, 0)
}

fn fails<T: std::fmt::Debug>(got: Result<T, Error>, wanted: impl Fn(&Error) -> bool) -> Outcome {
    match got {
        Err(error) if wanted(&error) => Ok(()),
        other => Err(Differs::new(format_args!("{other:?}, which is not as it must be"))),
    }
}

pub(crate) async fn bad_subjects(on: Scope) -> Outcome {
    let invalid = |error: &Error| matches!(error, Error::SubjectInvalid);
    let long = on.subject(&"t".repeat(256));
    for subject in ["", ".", "a..b", "check.", "check.a b", "check.\n", "check.*", "check.>", long.as_str()] {
        fails(send::publish(subject, None, &[b"x"]).await, invalid)?;
        fails(send::request(subject, &[b"x"], Some(300)).await, invalid)?;
    }
    let denied = |error: &Error| matches!(error, Error::AccessDenied);
    for subject in ["$JS.API.INFO", "$SYS.REQ.SERVER.PING", "_INBOX.x"] {
        fails(send::publish(subject, None, &[b"x"]).await, denied)?;
        fails(send::request(subject, &[b"x"], Some(300)).await, denied)?;
        fails(send::publish(&on.subject("a"), Some(subject.to_owned()), &[b"x"]).await, denied)?;
    }
    fails(send::publish(&on.subject("a"), Some("a b".to_owned()), &[b"x"]).await, invalid)
}

/// A handler that does not read the body still acknowledges the message.
pub(crate) async fn unread(on: Scope) -> Outcome {
    for payload in [b"x".repeat(10), b"x".repeat(MIB)] {
        let subject = on.subject(&format!("{}.unread", payload.len()));
        send::publish(&subject, None, &[&payload]).await?;
        on.wait(&subject, 1).await?;
        same("the deliveries", on.final_count(&subject).await?, 1)?;
    }
    Ok(())
}

pub(crate) async fn reply_to(on: Scope) -> Outcome {
    let subject = on.subject("expects");
    send::publish(&subject, Some(on.subject("answers")), &[b"x"]).await?;
    same("what came", on.wait(&subject, 1).await?, vec![describe(b"x", true)])
}

pub(crate) async fn request(on: Scope) -> Outcome {
    let subject = on.subject("reply");
    for payload in [&b""[..], b"question", &b"q".repeat(70_000)] {
        let (answer, reply_to) = send::request(&subject, &[payload], Some(60_000)).await?;
        same("the answer", answer, payload)?;
        same("where an answer to it is expected", reply_to, None)?;
    }
    same("what came", on.wait(&subject, 3).await?.len(), 3)
}

pub(crate) async fn without_limit(on: Scope) -> Outcome {
    let (answer, _) = send::request(&on.subject("reply"), &[b"question"], None).await?;
    holds("the answer is the question", answer == b"question")
}

pub(crate) async fn timeout(on: Scope) -> Outcome {
    let asked = send::request(&on.subject("silent"), &[b"x"], Some(300)).await;
    fails(asked, |error| matches!(error, Error::Timeout))
}

async fn again(on: &Scope, name: &str) -> Outcome {
    let subject = on.subject(name);
    send::publish(&subject, None, &[b"payload"]).await?;
    let wanted = describe(b"payload", false);
    same("what came", on.wait(&subject, 2).await?, vec![wanted.clone(), wanted])?;
    same("the deliveries", on.final_count(&subject).await?, 2)
}

pub(crate) async fn retry(on: Scope) -> Outcome {
    again(&on, "retry").await
}

pub(crate) async fn trap(on: Scope) -> Outcome {
    again(&on, "trap").await
}

/// Any other error counts as a rejection.
pub(crate) async fn reject(on: Scope) -> Outcome {
    for name in ["reject", "other"] {
        let subject = on.subject(name);
        send::publish(&subject, None, &[b"x"]).await?;
        on.wait(&subject, 1).await?;
        same("the deliveries", on.final_count(&subject).await?, 1)?;
    }
    Ok(())
}
