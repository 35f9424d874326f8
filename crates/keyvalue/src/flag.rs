//! The flag that names stores.

use tempo_backend::check_store_url;
use tempo_settings::{Disclosure, Flag, ValueForm};

/// `--keyvalue [NAME=]URL`: a store, and the name under which the component opens it.
pub const KEYVALUE: Flag = Flag::new(
    "keyvalue",
    "[NAME=]URL",
    "A keyvalue store, by the name under which the component opens it; file:PATH?quota=SIZE bounds it",
)
.repeatable()
.form(ValueForm::NamedUrl)
.checked_by(check_store_url)
.grants(Disclosure::Store);
