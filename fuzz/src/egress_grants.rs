//! Grants of outgoing HTTP requests: `--allow-http`, `--allow-http-address`, and the URLs that they cover.

use std::net::IpAddr;

use http::Uri;
use tempo_wasi_http::{AddressKind, Denied, Host, Policy, Target as Destination};

use crate::input::{check_message, texts};
use crate::{Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "egress_grants",
    run,
    seeds,
    tokens: &[
        "https://",
        "http://",
        "*",
        "*.",
        ":*",
        ":443",
        ":80",
        "/..",
        "/./",
        "%2e",
        "%2f",
        "%252e",
        "\\",
        "@",
        "?",
        "#",
        ".",
        "example.com",
        "127.0.0.1",
        "0x7f.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "10.0.0.0/8",
        "::ffff:0:0/96",
        "169.254.169.254",
        "/v1",
        "//",
        ";",
        "%00",
        "é",
        "xn--",
        "\u{3002}",
    ],
};

/// Parses a grant and a range of addresses, and checks a URL and an address with them.
pub fn run(data: &[u8]) -> Outcome {
    let [grant, range, url, address] = texts::<4>(data);
    let ranges = (!range.is_empty()).then_some(&*range);
    let policy = match Policy::new([&*grant], ranges) {
        Ok(policy) => policy,
        Err(error) => {
            check_message(&error.to_string());
            assert!(!error.expected().is_empty() && error.position() == 1);
            return Outcome::Refused;
        }
    };
    let Ok(uri) = url.parse::<Uri>() else { return Outcome::Refused };
    match policy.permit_url(&uri) {
        Ok(destination) => {
            check_destination(&destination);
            check_path(&grant, &uri);
            if let Ok(address) = address.parse() {
                check_address(&grant, ranges, &uri, &destination, address);
            }
        }
        Err(Denied::Ungranted { origin }) => {
            // The log recommends this grant.
            let recommended = Policy::new([&*origin], []).expect("a grant");
            assert!(recommended.permit_url(&uri).is_ok(), "{origin} does not grant {uri}");
        }
        Err(denied) => check_message(&denied.to_string()),
    }
    Outcome::Accepted
}

/// A host has one spelling.
fn check_destination(destination: &Destination) {
    if let Host::Name(name) = destination.host() {
        assert!(name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_uppercase()), "{name}");
        assert!(!name.split('.').any(str::is_empty) && name.parse::<IpAddr>().is_err(), "{name}");
    }
    let origin = format!("{}://{}", destination.scheme().as_str(), destination.authority());
    let again = Policy::new([&*origin], []).expect("a grant");
    let uri = origin.parse().expect("a URL");
    let again = again.permit_url(&uri).unwrap_or_else(|denied| panic!("{origin}: {denied}"));
    assert_eq!((again.host(), again.port()), (destination.host(), destination.port()));
}

/// A browser's normalisation of a permitted path does not leave the granted path.
fn check_path(grant: &str, uri: &Uri) {
    let Some((_, rest)) = grant.trim().split_once("://") else { return };
    let granted = rest.split_once('/').map_or("", |(_, path)| path).trim_matches('/');
    let plain = granted.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let Ok(url) = url::Url::parse(&uri.to_string()) else { return };
    if plain && !granted.is_empty() {
        let path = url.path().trim_start_matches('/');
        assert!(path.split('/').next() == Some(granted), "{grant} permits {uri}");
    }
}

fn check_address(grant: &str, ranges: Option<&str>, uri: &Uri, destination: &Destination, address: IpAddr) {
    let permitted = destination.permit_address(address);
    let mapped = match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => IpAddr::V6(address),
    };
    assert_eq!(destination.permit_address(mapped), permitted, "{address}");
    let Err(denied) = permitted else { return };
    check_message(&denied.to_string());
    let Denied::Address { address, kind, .. } = denied else { panic!("{denied}") };
    assert_ne!(kind, AddressKind::Public);
    // The log recommends this range.
    let length = if address.is_ipv4() { 32 } else { 128 };
    let recommended = format!("{address}/{length}");
    let policy = Policy::new([grant], ranges.into_iter().chain([&*recommended])).expect("a range");
    let destination = policy.permit_url(uri).expect("it was permitted");
    assert!(destination.permit_address(address).is_ok(), "{recommended}");
}

fn seeds() -> Vec<Vec<u8>> {
    let seeds = [
        ["https://api.example.com", "", "https://API.example.com.:443/a?b=c", "93.184.216.34"],
        ["https://api.example.com/v1", "10.0.0.0/8", "https://api.example.com/v1/x?y", "10.1.2.3"],
        ["https://*.example.com:*", "fd00::/8", "https://a.b.example.com:81/", "fd00::1"],
        ["*", "::ffff:192.168.0.0/112", "http://0x7f.1:9000/", "127.0.0.1"],
        ["http://[::ffff:127.0.0.1]:9000", "169.254.0.0/16", "http://127.1:9000/", "169.254.169.254"],
        ["http://db.internal", "169.254.169.254/32", "http://other.internal/", "64:ff9b::10.1.2.3"],
        ["https://*", "", "https://xn--mnchen-3ya.example/", "::1"],
    ];
    seeds.iter().map(|seed| crate::input::seed(seed)).collect()
}
