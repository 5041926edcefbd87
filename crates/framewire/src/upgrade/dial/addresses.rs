//! From a name to a TCP connection: its addresses, their order, and a share of the time for each.

use super::endpoint::{Endpoint, Host};
use super::network::Network;
use crate::upgrade::deadline::Deadline;
use crate::upgrade::{Error, ErrorKind};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The addresses of an endpoint, in the order in which they are tried.
pub(super) async fn ordered<N: Network>(
    network: &N,
    endpoint: &Endpoint,
) -> Result<Vec<SocketAddr>, Error> {
    let name = match &endpoint.host {
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, endpoint.port)]),
        Host::Name(name) => name,
    };
    let addresses = network.resolve(name, endpoint.port).await?;
    if addresses.is_empty() {
        return Err(not_resolved(name));
    }
    Ok(interleave(addresses))
}

/// Connects to the first of these addresses that takes the connection, with `TCP_NODELAY`.
///
/// Each has an equal share of what is left of the time.
pub(super) fn connect_to_any(
    addresses: &[SocketAddr],
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Result<TcpStream, Error> {
    let mut failures = Vec::new();
    for (tried, &address) in addresses.iter().enumerate() {
        let result = match deadline.share(addresses.len() - tried) {
            Ok(None) => TcpStream::connect(address),
            Ok(Some(share)) => TcpStream::connect_timeout(&address, share.max(SHORTEST)),
            Err(_) => return Err(deadline.error_for(&format!("connection to {endpoint}"))),
        };
        match result {
            Ok(stream) => {
                // Without it, a small message would wait for the acknowledgement of the one before.
                stream.set_nodelay(true).map_err(nodelay_failed)?;
                return Ok(stream);
            }
            Err(error) => failures.push((address, error)),
        }
    }
    if deadline.is_over() {
        return Err(deadline.error_for(&format!("connection to {endpoint}")));
    }
    Err(no_connection(endpoint, failures))
}

/// All addresses of a name, in the resolver's order (RFC 6724).
///
/// Blocks for as long as the operating system takes, whatever the deadline.
pub(super) fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let addresses = (name, port).to_socket_addrs();
    let addresses = addresses.map_err(|error| not_resolved(name).with_cause(error))?;
    Ok(addresses.collect())
}

pub(crate) fn not_resolved(name: &str) -> Error {
    let message = format!("host {name} could not be resolved");
    Error::new(ErrorKind::Resolve, message)
}

/// RFC 8305 4: the family of the resolver's first address first, and then the families in turn.
/// Within a family the resolver's order stays; an address that comes twice is tried once.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
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

pub(crate) fn nodelay_failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "setting tcp_nodelay failed").with_cause(error)
}

/// The error for an endpoint none of whose addresses took the connection.
pub(crate) fn no_connection(
    endpoint: &Endpoint,
    mut failures: Vec<(SocketAddr, io::Error)>,
) -> Error {
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
    let error = Error::new(ErrorKind::Dial, message);
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

/// Zero is no time-out that a socket takes.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::net::{Ipv6Addr, TcpListener};

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

    /// Where nothing listens.
    fn unused() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    }

    #[test]
    fn address_that_takes_no_connection_is_followed_by_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = listener.local_addr().unwrap();
        let other_family = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), listening.port());
        let addresses = [other_family, unused(), listening];
        let deadline = Deadline::after(Duration::from_secs(30));
        let stream = connect_to_any(&addresses, &endpoint(), deadline).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listening);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn address_that_does_not_answer_takes_its_share_of_the_time_alone() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let silent_address = silent.local_addr().unwrap();
        // Linux drops what comes once the queue of the listener is full.
        let tick = Duration::from_millis(100);
        let connect = || TcpStream::connect_timeout(&silent_address, tick).ok();
        let queue: Vec<_> = std::iter::from_fn(connect).take(10_000).collect();
        assert!(queue.len() < 10_000);

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [silent_address, listener.local_addr().unwrap()];
        let deadline = Deadline::after(Duration::from_secs(1));
        let stream = connect_to_any(&addresses, &endpoint(), deadline).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
        assert!(!deadline.is_over());
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
