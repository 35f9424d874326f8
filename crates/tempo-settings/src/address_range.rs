//! `AddressRange`: grants of addresses that are not public.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::{AddressKind, FlagValue};

/// An address or a range, in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressRange(IpNet);

impl FlagValue for AddressRange {
    const EXPECTED: &'static str = "an address or a range such as 10.0.0.0/8 or fd12::/16";

    /// A v4-mapped range becomes the IPv4 range, as addresses are compared in that form.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
        let mapped = range.prefix_len().checked_sub(96).zip(match range.addr() {
            IpAddr::V6(address) => address.to_ipv4_mapped(),
            IpAddr::V4(_) => None,
        });
        Some(Self(match mapped {
            Some((prefix, address)) => IpNet::V4(Ipv4Net::new(address, prefix).ok()?.trunc()),
            None => range.trunc(),
        }))
    }
}

impl AddressRange {
    /// Checks that an outgoing connection may go to `address` under the grants `ranges`: it is public, or a range grants it.
    /// A wide range grants the hosts in it, never the credentials of this host: the metadata services of clouds need a
    /// range of one address.
    ///
    /// # Errors
    ///
    /// The kind of the address, which no range grants.
    pub fn permit(ranges: &[Self], address: IpAddr) -> Result<(), AddressKind> {
        let address = address.to_canonical();
        let kind = AddressKind::of(address);
        let mut granting = ranges.iter().filter(|range| range.0.contains(&address));
        let permitted = match kind {
            AddressKind::Public => true,
            AddressKind::Metadata => granting.any(|range| range.0.prefix_len() == range.0.max_prefix_len()),
            _ => granting.next().is_some(),
        };
        if permitted { Ok(()) } else { Err(kind) }
    }

    /// Returns the value of a flag that grants `address` alone.
    pub fn of_one(address: IpAddr) -> String {
        IpNet::from(address.to_canonical()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permitted(ranges: &[&str], address: &str) -> Result<(), AddressKind> {
        let ranges: Vec<_> = ranges.iter().map(|text| AddressRange::parse(text).unwrap()).collect();
        AddressRange::permit(&ranges, address.parse().unwrap())
    }

    #[test]
    fn ranges_grant_what_is_in_them_and_leave_metadata_out() {
        let wide = ["10.0.0.0/8", "169.254.0.0/16", "::ffff:192.168.0.0/112"];
        for address in ["8.8.8.8", "10.1.2.3", "::ffff:10.1.2.3", "169.254.1.1", "192.168.5.5"] {
            assert_eq!(permitted(&wide, address), Ok(()), "{address}");
        }
        assert_eq!(permitted(&wide, "127.0.0.1"), Err(AddressKind::Loopback));
        assert_eq!(permitted(&wide, "64:ff9b::10.1.2.3"), Err(AddressKind::Private));
        assert_eq!(permitted(&wide, "169.254.169.254"), Err(AddressKind::Metadata));
        let one = AddressRange::of_one("::ffff:169.254.169.254".parse().unwrap());
        assert_eq!(one, "169.254.169.254/32");
        assert_eq!(permitted(&[&one], "169.254.169.254"), Ok(()));
        assert_eq!(permitted(&[], "10.0.0.1"), Err(AddressKind::Private));
    }

    #[test]
    fn bad_ranges() {
        for bad in ["", "10.0.0.0/33", "10.0.0", "example.com", "fd00::/129"] {
            assert_eq!(AddressRange::parse(bad), None, "{bad}");
        }
    }
}
