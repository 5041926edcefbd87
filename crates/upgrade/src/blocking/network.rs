//! Names and addresses from the operating system.

use super::wire::BlockingWire;
use crate::dial::{Endpoint, Network, no_connection, nodelay_failed, not_resolved};
use crate::error::UpgradeError;
use crate::exchange::{Deadline, Wire as _};
use std::future::ready;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// The operating system's resolver and sockets. Addresses are tried one after the other.
pub(super) struct Blocking(pub(super) Deadline);

impl Network for Blocking {
    type Wire = BlockingWire<TcpStream>;

    fn resolve(
        &self,
        name: &str,
        port: u16,
    ) -> impl Future<Output = Result<Vec<SocketAddr>, UpgradeError>> + Send {
        ready(resolve(name, port))
    }

    fn connect(
        &self,
        addresses: Vec<SocketAddr>,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Self::Wire, UpgradeError>> + Send {
        let stream = connect_to_any(&addresses, endpoint, self.0);
        ready(stream.map(|stream| BlockingWire::new(stream, self.0)))
    }
}

/// Connects to the first of these addresses that accepts the connection, with `TCP_NODELAY`.
///
/// Each has an equal share of the time that is left.
fn connect_to_any(
    addresses: &[SocketAddr],
    endpoint: &Endpoint,
    deadline: Deadline,
) -> Result<TcpStream, UpgradeError> {
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

/// Returns all addresses of a name, in the resolver's order (RFC 6724).
///
/// Blocks for as long as the operating system takes, whatever the deadline.
fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, UpgradeError> {
    let addresses = (name, port).to_socket_addrs();
    let addresses = addresses.map_err(|error| not_resolved(name).with_cause(error))?;
    Ok(addresses.collect())
}

/// Sockets do not accept a time-out of zero.
const SHORTEST: Duration = Duration::from_millis(1);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::dial::{Dialer, Proxy, Target};
    use crate::error::UpgradeErrorKind;
    use crate::exchange::finish;
    use std::io::{Read as _, Write as _};
    use std::net::{Ipv6Addr, TcpListener};

    fn endpoint() -> Endpoint {
        Endpoint::parse("a.example:80", 0).unwrap()
    }

    /// Returns an address at which nothing listens.
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

    /// Returns an address that does not answer, for as long as the queue in front of it is kept.
    #[cfg(target_os = "linux")]
    fn silent() -> (SocketAddr, (TcpListener, Vec<TcpStream>)) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Linux drops what comes once the queue of the listener is full.
        let tick = Duration::from_millis(100);
        let connect = || TcpStream::connect_timeout(&address, tick).ok();
        let queue: Vec<_> = std::iter::from_fn(connect).take(10_000).collect();
        assert!(queue.len() < 10_000);
        (address, (listener, queue))
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn last_address_has_all_the_time_that_is_left() {
        let (silent, _queue) = silent();
        let deadline = Deadline::after(Duration::from_millis(300));
        let error = connect_to_any(&[unused(), silent], &endpoint(), deadline).unwrap_err();
        assert_eq!(error.kind(), UpgradeErrorKind::TimedOut, "{error}");
        assert!(deadline.is_over());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn address_that_does_not_answer_takes_its_share_of_the_time_alone() {
        let (silent, _queue) = silent();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = [silent, listener.local_addr().unwrap()];
        let deadline = Deadline::after(Duration::from_secs(1));
        let stream = connect_to_any(&addresses, &endpoint(), deadline).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addresses[1]);
        assert!(!deadline.is_over());
    }

    /// Every name has two addresses.
    struct TwoAddresses(Blocking);

    impl Network for TwoAddresses {
        type Wire = BlockingWire<TcpStream>;

        async fn resolve(&self, _: &str, port: u16) -> Result<Vec<SocketAddr>, UpgradeError> {
            Ok([1, 2].map(|last| ([192, 0, 2, last], port).into()).to_vec())
        }

        async fn connect(
            &self,
            addresses: Vec<SocketAddr>,
            endpoint: &Endpoint,
        ) -> Result<Self::Wire, UpgradeError> {
            self.0.connect(addresses, endpoint).await
        }
    }

    fn connect_through(proxy: &str) -> Result<BlockingWire<TcpStream>, UpgradeError> {
        let network = TwoAddresses(Blocking(Deadline::after(Duration::from_secs(30))));
        let dialer = Dialer::new().proxy(Proxy::parse(proxy).unwrap());
        let target = Target::new(false, "a.example").unwrap();
        finish(dialer.connect_over(&network, &target))
    }

    #[test]
    fn address_that_a_socks_proxy_does_not_reach_is_followed_by_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("socks5://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            // Host unreachable, then success, each to a greeting and a request.
            [4, 0].map(|reply| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 3]).unwrap();
                stream.write_all(&[5, 0]).unwrap();
                let mut request = [0; 10];
                stream.read_exact(&mut request).unwrap();
                let answer = [5, reply, 0, 1, 0, 0, 0, 0, 0, 0];
                stream.write_all(&answer).unwrap();
                request[7]
            })
        });
        assert!(connect_through(&proxy).is_ok());
        assert_eq!(server.join().unwrap(), [1, 2]);
    }

    /// Returns how many of two addresses are tried through a proxy that gives these answers to each.
    fn tried(user: &str, answers: &'static [&'static [u8]]) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = format!("socks5://{user}{}", listener.local_addr().unwrap());
        let (note, notes) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let _ = note.send(());
                for answer in answers {
                    let _ = stream.read(&mut [0; 100]).unwrap();
                    stream.write_all(answer).unwrap();
                }
            }
        });
        assert!(connect_through(&proxy).is_err());
        notes.try_iter().count()
    }

    #[test]
    fn rfc1928_6_another_address_is_tried_only_where_the_reply_is_about_the_address() {
        assert_eq!(tried("", &[&[5, 0], &[5, 1, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0], &[5, 2, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0], &[5, 3, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 4, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 5, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 6, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 7, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0], &[5, 8, 0, 1]]), 2);
        assert_eq!(tried("", &[&[5, 0], &[5, 9, 0, 1]]), 1);
        assert_eq!(tried("", &[&[5, 0xFF]]), 1);
        // RFC 1929: a password that is wrong is wrong for all of them.
        assert_eq!(tried("u:p@", &[&[5, 2], &[1, 1]]), 1);
    }
}
