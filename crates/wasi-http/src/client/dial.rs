//! Connects to a permitted target: resolves its name, checks every address, and dials a permitted one.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tempo_core::Resolver;
use tempo_settings::Host;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::error::ConnectError;
use crate::egress::{Denied, Target};

/// How long an attempt runs before the next address is tried in parallel (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// Maximum addresses tried for one name: a name server must not turn one request into a port scan.
const MAX_ATTEMPTS: usize = 8;

/// Connects within `budget`.
pub(super) async fn dial(target: &Target, resolver: &Resolver, budget: Duration) -> Result<TcpStream, ConnectError> {
    let deadline = Instant::now() + budget;
    let addresses = match target.host() {
        Host::Ip(address) => vec![SocketAddr::new(*address, target.port())],
        Host::Name(name) => {
            let lookup = lookup(name, target.port(), resolver);
            timeout_at(deadline, lookup).await.map_err(|_| ConnectError::DnsTimeout)??
        }
    };
    let addresses = permitted(target, addresses)?;
    let stream = timeout_at(deadline, race(addresses)).await.map_err(|_| ConnectError::Timeout)??;
    // Requests are written at once; Nagle's algorithm would only delay them. Failing to disable it is harmless.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// Resolves `name`.
async fn lookup(name: &str, port: u16, resolver: &Resolver) -> Result<Vec<SocketAddr>, ConnectError> {
    resolver.resolve(name.to_owned(), port).await.map_err(|error| {
        tracing::debug!(%error, "a name could not be resolved");
        ConnectError::Dns
    })
}

/// Returns the permitted addresses in the order to try: the resolver's, with alternating families, so that an
/// unreachable family costs one attempt.
fn permitted(target: &Target, addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, ConnectError> {
    let mut denied: Option<Denied> = None;
    let mut kept: Vec<SocketAddr> = Vec::with_capacity(addresses.len());
    for address in addresses {
        match target.permit_address(address.ip()) {
            Ok(()) if !kept.contains(&address) => kept.push(address),
            Ok(()) => {}
            Err(reason) => {
                denied.get_or_insert(reason);
            }
        }
    }
    if kept.is_empty() {
        if let Some(denied) = denied {
            target.report(&denied);
        }
        return Err(ConnectError::AddressDenied);
    }
    let first_is_v6 = kept.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = kept.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut other = other.into_iter();
    let mut ordered = Vec::with_capacity(MAX_ATTEMPTS);
    for address in preferred {
        ordered.push(address);
        ordered.extend(other.next());
    }
    ordered.extend(other);
    ordered.truncate(MAX_ATTEMPTS);
    Ok(ordered)
}

/// Tries the addresses in turn, each when the previous one has failed or is slow; the first connection wins.
async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectError> {
    let mut waiting = addresses.into_iter();
    let mut attempts = FuturesUnordered::new();
    let mut failure = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.push(TcpStream::connect(address));
        }
        tokio::select! {
            Some(result) = attempts.next() => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    failure.get_or_insert(ConnectError::from_tcp(&error));
                }
            },
            () = sleep(HEAD_START), if waiting.len() > 0 => {}
            else => return Err(failure.unwrap_or(ConnectError::Unavailable)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::Policy;

    fn target() -> Target {
        let policy = Policy::new(["http://a.test"], ["10.0.0.1"]).unwrap();
        policy.permit_url(&"http://a.test/".parse().unwrap()).unwrap()
    }

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|address| SocketAddr::new(address.parse().unwrap(), 80)).collect()
    }

    #[test]
    fn only_permitted_addresses_are_tried_and_families_take_turns() {
        let resolved = ["2606::1", "10.0.0.2", "2606::2", "127.0.0.1", "2606::3", "10.0.0.1", "8.8.8.8", "2606::1"];
        let ordered = permitted(&target(), addresses(&resolved)).unwrap();
        assert_eq!(ordered, addresses(&["2606::1", "10.0.0.1", "2606::2", "8.8.8.8", "2606::3"]));
    }

    #[test]
    fn a_name_with_no_permitted_address_is_denied() {
        let denied = permitted(&target(), addresses(&["10.0.0.2", "::1"]));
        assert!(matches!(denied, Err(ConnectError::AddressDenied)));
    }

    #[test]
    fn no_more_than_a_few_addresses_are_tried() {
        let many: Vec<SocketAddr> = (0..100).map(|n| SocketAddr::from(([8, 8, 8, n], 80))).collect();
        assert_eq!(permitted(&target(), many).unwrap().len(), MAX_ATTEMPTS);
    }
}
