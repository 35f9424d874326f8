//! The flag that names brokers.

use tempo_backend::check_store_url;
use tempo_settings::{Disclosure, Flag, ValueForm};

/// `--messaging [NAME=]URL`: a broker, and the name under which the component uses it.
pub const MESSAGING: Flag =
    Flag::new("messaging", "[NAME=]URL", "A broker of messages, by the name under which the component uses it")
        .repeatable()
        .form(ValueForm::NamedUrl)
        .checked_by(check_store_url)
        .grants(Disclosure::Store);
