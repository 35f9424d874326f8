//! The brokers of an app: those of all its components, each broker once.

use tempo_backend::BackendScheme as _;
use tempo_messaging::MESSAGING;
use tempo_settings::{Error, Settings};

use super::select::{self, Choice};
use crate::File;

/// Returns the brokers of `components`, by URL and name. A default broker counts if its file exists.
///
/// # Errors
///
/// A value is invalid.
pub(super) async fn brokers(components: &[(String, Settings)]) -> Result<Vec<Choice<'_>>, Error> {
    let mut choices: Vec<Choice<'_>> = Vec::new();
    for (component, settings) in components {
        for choice in select::all(settings)? {
            let known = choices.iter_mut().find(|known| known.named == choice.named);
            match known {
                Some(known) => known.components.push(component),
                None if !settings.is_set(&MESSAGING) && is_absent(&choice).await => {}
                None => choices.push(Choice { components: vec![component], ..choice }),
            }
        }
    }
    choices.sort_by(|one, other| one.named.name.cmp(&other.named.name));
    Ok(choices)
}

/// Returns whether the file of a broker does not exist.
async fn is_absent(choice: &Choice<'_>) -> bool {
    File::NAMES.contains(&choice.named.url.scheme()) && select::exists(&choice.named.url).await.is_err()
}
