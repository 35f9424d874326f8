//! The flag that names containers.

use tempo_settings::{Disclosure, Flag};

/// `--blobstore [NAME=]URL`: a container, and the name under which the component opens it.
pub const BLOBSTORE: Flag = Flag::new(
    "blobstore",
    "[NAME=]URL",
    "A container of objects, and the name the component opens it by; file:DIR?quota=SIZE bounds it",
)
.repeatable()
.grants(Disclosure::Store);
