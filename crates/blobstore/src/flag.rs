//! The flag that names containers.

use tempo_settings::{Disclosure, Flag, NamedUrl, ValueForm};

/// `--blobstore [NAME=]URL`: a container, and the name under which the component opens it; `*` is for containers that the
/// component creates.
pub const BLOBSTORE: Flag = Flag::new(
    "blobstore",
    "[NAME=]URL",
    "A container of objects, and the name the component opens it by, or `*` for containers that it creates itself; \
     file:DIR?quota=SIZE bounds it",
)
.repeatable()
.form(ValueForm::NamedUrl)
.of::<NamedUrl>()
.grants(Disclosure::Store);
