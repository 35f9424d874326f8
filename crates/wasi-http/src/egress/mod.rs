//! Where a component may send HTTP requests: nothing is allowed until it is granted.
//!
//! A request passes two checks. [`Policy::permit_url`] compares its URL with the grants, before a name is resolved.
//! [`Target::permit_address`] judges every address the name resolved to; the address that was judged is the one that is
//! dialled, so a name server that changes its answer gains nothing.
//!
//! Addresses that are not public (private, loopback, link-local, the metadata services of clouds, and so on) need a grant
//! of their own, either because the granted URL names that address literally or because an address range is granted.

mod address;
mod error;
mod grant;
mod notice;
mod origin;
mod path;
mod policy;

pub use address::Kind as AddressKind;
pub use error::{Denied, GrantError};
pub(crate) use notice::Notices;
pub use origin::{Host, Scheme};
pub use policy::{Policy, Target};
