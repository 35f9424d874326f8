//! The entry points of the fuzz targets.

pub use crate::allocation::Allocation;
pub use crate::env_file::parse as parse_env_file;
pub use crate::host_key::HostKey;
pub use crate::precompiled::{Decoded, Header, decode, encode, sign, this_build};
pub use crate::scan::Shape;
pub use crate::settings_file::parse as parse_settings_file;
