//! The egress policy: components may send HTTP requests only to granted URLs.
//!
//! A request passes two checks. [`Policy::permit_url`] compares its URL with the grants, before a name is resolved.
//! [`Target::permit_address`] checks every address that the name resolved to. Only a checked address is dialled, so DNS
//! rebinding gains nothing.
//!
//! Addresses that are not public (private, loopback, link-local, the metadata services of clouds, and so on) need a grant
//! of their own: either the granted URL names the address literally, or `--allow-http-address` grants its range.

mod error;
mod grant;
mod origin;
mod path;
mod policy;

pub use error::{Denied, GrantError};
pub(crate) use grant::{ComponentGrant, component_grant};
pub use origin::Scheme;
pub use policy::{Policy, Target};
pub use tempo_settings::{AddressKind, Host};
