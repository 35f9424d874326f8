//! Outgoing values: complete, or nothing.

use crate::api::{OutgoingValue, body, empty, list, put, read, write};
use crate::scope::{Outcome, fails, holds, same};

pub(crate) fn overwrite() -> Outcome {
    let container = empty()?;
    put(&container, "n", &[b'1'; 100_000])?;
    put(&container, "n", b"2")?;
    same("what is there", read(&container, "n")?, b"2")?;
    same("size", container.object_info("n")?.size, 1)?;
    Ok(container.clear()?)
}

/// More than all buffers in between hold.
pub(crate) fn large() -> Outcome {
    let container = empty()?;
    let bytes: Vec<u8> = (0..=250).cycle().take((4 << 20) + 3).collect();
    put(&container, "n", &bytes)?;
    holds("what is there is what was written", read(&container, "n")? == bytes)?;
    Ok(container.clear()?)
}

/// A value may be written before it has a name.
pub(crate) fn named_late() -> Outcome {
    let container = empty()?;
    let value = OutgoingValue::new_outgoing_value();
    let to = body(&value)?;
    // A blocking write that waits for its bytes to be read would never return.
    holds("there is room", to.check_write()? >= 5)?;
    to.write(b"value")?;
    drop(to);
    container.write_data("n", &value)?;
    OutgoingValue::finish(value)?;
    same("what is there", read(&container, "n")?, b"value")?;
    Ok(container.clear()?)
}

/// What is dropped before it is finished leaves nothing, and leaves what was there.
pub(crate) fn not_finished() -> Outcome {
    let container = empty()?;
    put(&container, "old", b"before")?;
    for name in ["new", "old"] {
        let value = OutgoingValue::new_outgoing_value();
        container.write_data(name, &value)?;
        let to = body(&value)?;
        write(&to, &[b'x'; 100_000])?;
        drop(to);
        drop(value);
    }
    same("what is there", list(&container)?, ["old"])?;
    same("what was there", read(&container, "old")?, b"before")?;
    Ok(container.clear()?)
}

/// A value that belongs to no object cannot be finished.
pub(crate) fn not_named() -> Outcome {
    let container = empty()?;
    fails("finish", OutgoingValue::finish(OutgoingValue::new_outgoing_value()))?;
    same("what is there", list(&container)?, Vec::<String>::new())
}

/// The stream is to be had once.
pub(crate) fn body_twice() -> Outcome {
    let value = OutgoingValue::new_outgoing_value();
    let first = body(&value)?;
    holds("there is no second stream", value.outgoing_value_write_body().is_err())?;
    drop(first);
    Ok(())
}
