//! Reading values: as text, as a type, all at once.

use std::any::type_name;
use std::str::FromStr;

use crate::Error;
use crate::bindings::wasi::config::store;

/// The value of `key`, or `None` when nothing is configured under it.
///
/// # Errors
/// When the host cannot read its source.
pub fn get(key: &str) -> Result<Option<String>, Error> {
    store::get(key).map_err(|error| Error::from_host(&format!("the configuration value {key:?}"), error))
}

/// The value of `key`, which must be there.
///
/// # Errors
/// As [`get`]; [`ErrorKind::Missing`](crate::ErrorKind::Missing) when nothing is configured under `key`.
pub fn require(key: &str) -> Result<String, Error> {
    get(key)?.ok_or_else(|| Error::missing(key))
}

/// The value of `key` as a `T`, such as `u16`, `bool` or `SocketAddr`.
///
/// # Errors
/// As [`get`]; [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) when the value is not a `T`.
pub fn parse<T: FromStr>(key: &str) -> Result<Option<T>, Error> {
    get(key)?.map(|text| text.trim().parse().map_err(|_| Error::invalid(key, short_name::<T>()))).transpose()
}

/// Every key that this component may see, with its value, sorted by key.
///
/// # Errors
/// When the host cannot read its source.
pub fn all() -> Result<Vec<(String, String)>, Error> {
    let mut pairs = store::get_all().map_err(|error| Error::from_host("the configuration", error))?;
    pairs.sort_unstable();
    Ok(pairs)
}

/// The name of a type without the path of its module.
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
