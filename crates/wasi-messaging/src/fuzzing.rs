//! The entry points of the fuzz targets.

use crate::{Message, MessagingLimits, Result};

/// Validates a message of a guest, and renames its id header for servers.
///
/// # Errors
///
/// The message exceeds a limit, or a server would interpret a part of it.
pub fn check(limits: &MessagingLimits, message: &mut Message) -> Result<()> {
    crate::check::message(limits, message)
}
