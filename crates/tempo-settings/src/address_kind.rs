//! Classifies IP addresses. Non-public addresses lead into the host, its network or its cloud account.
//!
//! Sources: IANA's registries of special-purpose IPv4 and IPv6 addresses, and the documentation of the clouds for the
//! addresses of their metadata services.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of an IP address, by which grants of outgoing connections decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressKind {
    /// Reachable from anywhere.
    Public,
    /// The host itself.
    Loopback,
    /// A private network: RFC 1918, unique-local and site-local IPv6, NAT64 of a local network.
    Private,
    /// Shared with a provider (RFC 6598, carrier-grade NAT).
    Shared,
    /// The local link.
    LinkLocal,
    /// `0.0.0.0/8` or `::`.
    Unspecified,
    /// Multicast.
    Multicast,
    /// Reserved for documentation.
    Documentation,
    /// Reserved for benchmarks.
    Benchmarking,
    /// Reserved, deprecated or not assigned for use on the Internet.
    Reserved,
    /// A cloud metadata service, which issues credentials of the host.
    Metadata,
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Shared => "shared with the provider (carrier-grade NAT)",
            Self::LinkLocal => "link-local",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Documentation => "for documentation",
            Self::Benchmarking => "for benchmarks",
            Self::Reserved => "reserved",
            Self::Metadata => "a cloud metadata service",
        })
    }
}

/// Metadata services with an address of their own. Some of these lie in ranges that are otherwise public or that are
/// commonly granted, so they are listed one by one.
const METADATA: [IpAddr; 17] = [
    // EC2, Google, Azure, DigitalOcean, Linode, OpenStack, Oracle
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    // credentials of ECS tasks and of EKS pods
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    // Tencent
    IpAddr::V4(Ipv4Addr::new(169, 254, 0, 23)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 10, 10)),
    // Scaleway
    IpAddr::V4(Ipv4Addr::new(169, 254, 42, 42)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42)),
    // Linode
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1)),
    // OpenStack and Linode, on the local link
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    // Oracle over IPv6
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    // Alibaba
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200)),
    // Azure's host agent
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Oracle, classic
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    // EC2, EKS pods and Google over IPv6
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

impl AddressKind {
    /// Returns the kind of `address`. A v4-mapped IPv6 address counts as the IPv4 address that it stands for.
    pub fn of(address: IpAddr) -> Self {
        classify(address)
    }
}

fn classify(address: IpAddr) -> AddressKind {
    let address = address.to_canonical();
    if METADATA.contains(&address) {
        return AddressKind::Metadata;
    }
    match address {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressKind {
    match address.octets() {
        [0, ..] => AddressKind::Unspecified,
        [127, ..] => AddressKind::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressKind::Private,
        [100, 64..=127, ..] => AddressKind::Shared,
        [169, 254, ..] => AddressKind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressKind::Documentation,
        [198, 18..=19, ..] => AddressKind::Benchmarking,
        [192, 0, 0, _] | [192, 88, 99, _] => AddressKind::Reserved,
        [224..=239, ..] => AddressKind::Multicast,
        [240..=255, ..] => AddressKind::Reserved,
        _ => AddressKind::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> AddressKind {
    if wraps_metadata(address) {
        return AddressKind::Metadata;
    }
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressKind::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressKind::Loopback,
        // NAT64 and 6to4 lead to the IPv4 address inside. NAT64 must work: it is the way out of IPv6-only networks.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => classify(embedded(high, low)),
        [0x64, 0xff9b, 1, ..] => AddressKind::Private,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressKind::Documentation,
        [0x2001, 0x2, 0, ..] => AddressKind::Benchmarking,
        // 2001::/23 holds protocol assignments, among them Teredo, which hides an IPv4 address.
        [0x2001, 0..=0x1ff, ..] => AddressKind::Reserved,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => AddressKind::Private,
        [0xfe80..=0xfebf, ..] => AddressKind::LinkLocal,
        [0xff00..=0xffff, ..] => AddressKind::Multicast,
        [0x2000..=0x3fff, ..] => AddressKind::Public,
        // Only 2000::/3 is assigned to the Internet. The rest includes the deprecated v4-compatible `::/96`.
        _ => AddressKind::Reserved,
    }
}

/// Returns whether `address` embeds the IPv4 address of a metadata service in a range of another kind: NAT64 of a local
/// network, at any position of RFC 6052, and the two deprecated forms of an IPv4 address.
fn wraps_metadata(address: Ipv6Addr) -> bool {
    let is_metadata = |octets: [u8; 4]| METADATA.contains(&IpAddr::V4(octets.into()));
    // Octet 8 is reserved, and no part of the address.
    let [_, _, _, _, _, _, a, b, _, c, d, e, f, g, h, i] = address.octets();
    match address.segments() {
        [0x64, 0xff9b, 1, ..] => [[a, b, c, d], [b, c, d, e], [c, d, e, f], [f, g, h, i]].into_iter().any(is_metadata),
        [0, 0, 0, 0, 0 | 0xffff, 0, ..] => is_metadata([f, g, h, i]),
        _ => false,
    }
}

fn embedded(high: u16, low: u16) -> IpAddr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_special_range_is_told_from_its_neighbours() {
        let table = [
            ("0.0.0.0", AddressKind::Unspecified),
            ("0.255.255.255", AddressKind::Unspecified),
            ("1.0.0.0", AddressKind::Public),
            ("9.255.255.255", AddressKind::Public),
            ("10.0.0.0", AddressKind::Private),
            ("10.255.255.255", AddressKind::Private),
            ("11.0.0.0", AddressKind::Public),
            ("100.63.255.255", AddressKind::Public),
            ("100.64.0.0", AddressKind::Shared),
            ("100.127.255.255", AddressKind::Shared),
            ("100.128.0.0", AddressKind::Public),
            ("100.100.100.200", AddressKind::Metadata),
            ("126.255.255.255", AddressKind::Public),
            ("127.0.0.1", AddressKind::Loopback),
            ("127.255.255.255", AddressKind::Loopback),
            ("128.0.0.0", AddressKind::Public),
            ("168.63.129.16", AddressKind::Metadata),
            ("168.63.129.17", AddressKind::Public),
            ("169.254.0.1", AddressKind::LinkLocal),
            ("169.254.169.254", AddressKind::Metadata),
            ("169.254.170.2", AddressKind::Metadata),
            ("172.15.255.255", AddressKind::Public),
            ("172.16.0.0", AddressKind::Private),
            ("172.31.255.255", AddressKind::Private),
            ("172.32.0.0", AddressKind::Public),
            ("192.0.0.1", AddressKind::Reserved),
            ("192.0.2.1", AddressKind::Documentation),
            ("192.88.99.1", AddressKind::Reserved),
            ("192.167.255.255", AddressKind::Public),
            ("192.168.0.1", AddressKind::Private),
            ("192.169.0.0", AddressKind::Public),
            ("198.17.255.255", AddressKind::Public),
            ("198.18.0.0", AddressKind::Benchmarking),
            ("198.19.255.255", AddressKind::Benchmarking),
            ("198.20.0.0", AddressKind::Public),
            ("198.51.100.1", AddressKind::Documentation),
            ("203.0.113.1", AddressKind::Documentation),
            ("223.255.255.255", AddressKind::Public),
            ("224.0.0.1", AddressKind::Multicast),
            ("240.0.0.1", AddressKind::Reserved),
            ("255.255.255.255", AddressKind::Reserved),
        ];
        for (address, kind) in table {
            assert_eq!(classify(address.parse().unwrap()), kind, "{address}");
            let mapped = format!("::ffff:{address}");
            assert_eq!(classify(mapped.parse().unwrap()), kind, "{mapped}");
        }
    }

    #[test]
    fn metadata_services_are_known_in_every_form() {
        let v4 = [
            "100.100.100.200",
            "168.63.129.16",
            "169.254.0.23",
            "169.254.10.10",
            "169.254.42.42",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "192.0.0.192",
        ];
        let v6 = [
            "fd00:42::42",
            "fd00:100::100:200",
            "fd00:a9fe:a9fe::1",
            "fd00:c1::a9fe:a9fe",
            "fd00:ec2::23",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fe80::a9fe:a9fe",
        ];
        assert_eq!(v4.len() + v6.len(), METADATA.len());
        for text in v4.iter().chain(&v6) {
            assert_eq!(classify(text.parse().unwrap()), AddressKind::Metadata, "{text}");
        }
        for text in v4 {
            let [a, b, c, d] = text.parse::<Ipv4Addr>().unwrap().octets();
            for wrapped in [
                format!("::ffff:{text}"),
                format!("::ffff:0:{text}"),
                format!("::{text}"),
                format!("64:ff9b::{text}"),
                format!("64:ff9b:1::{text}"),
                format!("64:ff9b:1:{a:02x}{b:02x}:{c:x}:{d:02x}00::"),
                format!("64:ff9b:1:{a:x}:{b:x}:{c:02x}{d:02x}::"),
                format!("64:ff9b:1:0:{a:x}:{b:02x}{c:02x}:{d:02x}00:0"),
                format!("2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1"),
            ] {
                assert_eq!(classify(wrapped.parse().unwrap()), AddressKind::Metadata, "{wrapped}");
            }
        }
        for neighbour in ["169.254.42.41", "fd00:42::43", "fd00:a9fe:a9fe::2", "fd00:a9fe:a9ff::1", "fe80::a9fe:a9ff"] {
            assert_ne!(classify(neighbour.parse().unwrap()), AddressKind::Metadata, "{neighbour}");
        }
    }

    #[test]
    fn ipv6_is_judged_by_its_range_and_by_what_it_wraps() {
        let table = [
            ("::", AddressKind::Unspecified),
            ("::1", AddressKind::Loopback),
            ("::2", AddressKind::Reserved),
            ("::127.0.0.1", AddressKind::Reserved),
            ("::8.8.8.8", AddressKind::Reserved),
            ("::ffff:0:127.0.0.1", AddressKind::Reserved),
            ("64:ff9b::8.8.8.8", AddressKind::Public),
            ("64:ff9b::127.0.0.1", AddressKind::Loopback),
            ("64:ff9b::10.0.0.1", AddressKind::Private),
            ("64:ff9b::169.254.169.254", AddressKind::Metadata),
            ("64:ff9b:1::8.8.8.8", AddressKind::Private),
            ("100::1", AddressKind::Reserved),
            ("2001::1", AddressKind::Reserved),
            ("2001:0:1:2:3:4:f5ff:fffe", AddressKind::Reserved),
            ("2001:2::1", AddressKind::Benchmarking),
            ("2001:20::1", AddressKind::Reserved),
            ("2001:200::1", AddressKind::Public),
            ("2001:db8::1", AddressKind::Documentation),
            ("2002:808:808::1", AddressKind::Public),
            ("2002:7f00:1::1", AddressKind::Loopback),
            ("2002:c0a8:101::1", AddressKind::Private),
            ("2606:4700::1111", AddressKind::Public),
            ("3fff:1::1", AddressKind::Documentation),
            ("3fff:1000::1", AddressKind::Public),
            ("4000::1", AddressKind::Reserved),
            ("5f00::1", AddressKind::Reserved),
            ("fc00::1", AddressKind::Private),
            ("fd00:ec2::254", AddressKind::Metadata),
            ("fd00:ec2::255", AddressKind::Private),
            ("fd20:ce::254", AddressKind::Metadata),
            ("fe80::1", AddressKind::LinkLocal),
            ("fec0::1", AddressKind::Private),
            ("ff02::1", AddressKind::Multicast),
        ];
        for (address, kind) in table {
            assert_eq!(classify(address.parse().unwrap()), kind, "{address}");
        }
    }
}
