//! Reads values: as text, as a type, or all at once.

use std::any::type_name;
use std::str::FromStr;

use crate::Error;
use crate::bindings::wasi::config::store;

/// Returns the value of `key`, or `None` if it is not configured.
///
/// # Errors
/// Returns an error if the host cannot read its configuration source.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    store::get(key).map_err(|error| Error::from_host(&format!("the configuration value {key:?}"), error))
}

/// Returns the value of `key`, which must be configured.
///
/// # Errors
/// As [`get`], and [`ErrorKind::Missing`](crate::ErrorKind::Missing) if `key` is not configured.
pub fn require(key: &str) -> Result<String, Error> {
    get(key)?.ok_or_else(|| Error::missing(key))
}

/// Returns the value of `key`, parsed as a `T`, such as `u16`, `bool` or `SocketAddr`.
///
/// # Errors
/// As [`get`], and [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the value does not parse as a `T`.
pub fn parse<T: FromStr>(key: &str) -> Result<Option<T>, Error> {
    get(key)?.map(|text| text.trim().parse().map_err(|_| Error::invalid(key, short_name::<T>()))).transpose()
}

/// Returns every key that is visible to this component, with its value, sorted by key.
///
/// # Errors
/// Returns an error if the host cannot read its configuration source.
pub fn all() -> Result<Vec<(String, String)>, Error> {
    let mut pairs = store::get_all().map_err(|error| Error::from_host("the configuration", error))?;
    pairs.sort_unstable();
    Ok(pairs)
}

/// Returns the name of a type without its module path.
fn short_name<T>() -> &'static str {
    let name = type_name::<T>();
    name.rsplit("::").next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::short_name;

    #[test]
    fn a_type_is_named_without_its_path() {
        assert_eq!(short_name::<std::net::SocketAddr>(), "SocketAddr");
        assert_eq!(short_name::<u16>(), "u16");
    }
}
