//! The addresses of a name: their order, and what became of each.

use super::endpoint::Endpoint;
use crate::error::{UpgradeError, UpgradeErrorKind};
use std::io;
use std::net::SocketAddr;

/// Returns the error for a name without an address.
pub(crate) fn not_resolved(name: &str) -> UpgradeError {
    let message = format!("host {name} could not be resolved");
    UpgradeError::new(UpgradeErrorKind::Resolve, message)
}

/// Orders addresses by RFC 8305 4: the family of the resolver's first address first, and then the families in turn.
/// Within a family the resolver's order stays. A duplicate address is tried once.
pub(super) fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let longest = first.len().max(second.len());
    let mut ordered = Vec::new();
    for index in 0..longest {
        for address in [first.get(index), second.get(index)].into_iter().flatten() {
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
    ordered
}

/// Returns the error for a stream that does not accept `TCP_NODELAY`.
#[must_use]
pub fn nodelay_failed(error: io::Error) -> UpgradeError {
    UpgradeError::new(UpgradeErrorKind::Io, "setting tcp_nodelay failed").with_cause(error)
}

/// Returns the error for an endpoint none of whose addresses accepted the connection.
pub(crate) fn no_connection(
    endpoint: &Endpoint,
    mut failures: Vec<(SocketAddr, io::Error)>,
) -> UpgradeError {
    let message = match &failures[..] {
        [(address, error)] if address.to_string() == endpoint.to_string() => {
            format!("connection to {endpoint} {}", outcome(error))
        }
        _ => {
            let each: Vec<_> = failures
                .iter()
                .map(|(address, error)| format!("{address} {}", outcome(error)))
                .collect();
            format!("no connection to {endpoint}: {}", each.join(", "))
        }
    };
    let error = UpgradeError::new(UpgradeErrorKind::Dial, message);
    match failures.pop() {
        Some((_, last)) => error.with_cause(last),
        None => error,
    }
}

fn outcome(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::TimedOut => "not answered in time".to_owned(),
        _ => format!("failed: {error}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn addresses(list: &[&str]) -> Vec<SocketAddr> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn rfc8305_4_families_take_turns_and_the_resolver_says_which_is_first() {
        const A: &str = "192.0.2.1:80";
        const B: &str = "192.0.2.2:80";
        const C: &str = "192.0.2.3:80";
        const X: &str = "[2001:db8::1]:80";
        const Y: &str = "[2001:db8::2]:80";
        const Z: &str = "[2001:db8::3]:80";
        let table: [(&[&str], &[&str]); 9] = [
            (&[], &[]),
            (&[A], &[A]),
            (&[X, Y], &[X, Y]),
            (&[X, Y, A, B], &[X, A, Y, B]),
            (&[A, B, X, Y], &[A, X, B, Y]),
            (&[X, Y, Z, A], &[X, A, Y, Z]),
            (&[X, A, B, C], &[X, A, B, C]),
            (&[B, A, X], &[B, X, A]),
            (&[X, X, A, A], &[X, A]),
        ];
        for (resolved, ordered) in table {
            assert_eq!(interleave(addresses(resolved)), addresses(ordered));
        }
    }

    fn endpoint() -> Endpoint {
        Endpoint::parse("a.example:80", 0).unwrap()
    }

    #[test]
    fn failures_name_every_address_that_was_tried() {
        let [first, second] = addresses(&["[2001:db8::1]:80", "192.0.2.1:80"])[..] else {
            unreachable!("there are two");
        };
        let failures = vec![
            (first, io::ErrorKind::TimedOut.into()),
            (second, io::ErrorKind::ConnectionRefused.into()),
        ];
        let error = no_connection(&endpoint(), failures);
        assert_eq!(
            error.to_string(),
            "no connection to a.example:80: [2001:db8::1]:80 not answered in time, \
             192.0.2.1:80 refused: connection refused"
        );
    }
}
