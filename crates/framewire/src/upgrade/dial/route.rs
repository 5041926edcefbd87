//! Straight to a target, or through a proxy.

use super::addresses::ordered;
use super::endpoint::{Endpoint, Host};
use super::network::Network;
use super::proxy::{Protocol, Proxy};
use super::{Proxies, Target, socks, tunnel};
use crate::upgrade::{Error, ErrorKind};
use std::net::SocketAddr;

/// A connection over which the target is spoken to.
pub(super) async fn connect<N: Network>(
    network: &N,
    proxies: &Proxies,
    target: &Target,
) -> Result<N::Wire, Error> {
    match proxies.choose(target) {
        Some(proxy) => connect_through(network, proxy, &target.endpoint).await,
        None => connect_to(network, &target.endpoint).await,
    }
}

async fn connect_to<N: Network>(network: &N, endpoint: &Endpoint) -> Result<N::Wire, Error> {
    let addresses = ordered(network, endpoint).await?;
    network.connect(addresses, endpoint).await
}

async fn connect_through<N: Network>(
    network: &N,
    proxy: &Proxy,
    target: &Endpoint,
) -> Result<N::Wire, Error> {
    match proxy.protocol {
        Protocol::Socks5 => {
            let addresses = ordered(network, target).await?;
            open_to_any(network, proxy, &addresses).await
        }
        Protocol::Http | Protocol::Socks5h => {
            let opened = open_through(network, proxy, target).await;
            opened.map_err(|failure| failure.error)
        }
    }
}

async fn open_to_any<N: Network>(
    network: &N,
    proxy: &Proxy,
    addresses: &[SocketAddr],
) -> Result<N::Wire, Error> {
    let mut unreachable = Error::new(ErrorKind::Resolve, "host has no address");
    for address in addresses {
        let target = Endpoint {
            host: Host::Address(address.ip()),
            port: address.port(),
        };
        match open_through(network, proxy, &target).await {
            Ok(wire) => return Ok(wire),
            Err(failure) if failure.of_address => unreachable = failure.error,
            Err(failure) => return Err(failure.error),
        }
    }
    Err(unreachable)
}

/// Why a proxy made no connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether another address of the target may do.
    pub(super) of_address: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            of_address: false,
        }
    }
}

async fn open_through<N: Network>(
    network: &N,
    proxy: &Proxy,
    target: &Endpoint,
) -> Result<N::Wire, Failure> {
    let mut wire = connect_to(network, &proxy.endpoint)
        .await
        .map_err(|error| {
            let message = format!("proxy {} cannot be reached", proxy.endpoint);
            error.of_step(ErrorKind::Proxy, &message)
        })?;
    let credentials = proxy.credentials.as_ref();
    let opened = match proxy.protocol {
        Protocol::Http => tunnel::open(&mut wire, target, credentials)
            .await
            .map_err(Failure::from),
        Protocol::Socks5 | Protocol::Socks5h => socks::open(&mut wire, target, credentials).await,
    };
    opened.map_err(|failure| {
        let message = format!("proxy {} made no connection to {target}", proxy.endpoint);
        Failure {
            error: failure.error.of_step(ErrorKind::Proxy, &message),
            ..failure
        }
    })?;
    Ok(wire)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::upgrade::deadline::Deadline;
    use crate::upgrade::dial::network::Blocking;
    use crate::upgrade::wire::finish;
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::time::Duration;

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
        let addresses = ["192.0.2.1:80", "192.0.2.2:80"].map(|text| text.parse().unwrap());
        let deadline = Deadline::after(Duration::from_secs(30));
        let proxy = Proxy::parse(&proxy).unwrap();
        assert!(finish(open_to_any(&Blocking(deadline), &proxy, &addresses)).is_ok());
        assert_eq!(server.join().unwrap(), [1, 2]);
    }

    /// How many of two addresses are tried through a proxy that answers all of these, in turn.
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
        let addresses = ["192.0.2.1:80", "192.0.2.2:80"].map(|text| text.parse().unwrap());
        let deadline = Deadline::after(Duration::from_secs(30));
        let proxy = Proxy::parse(&proxy).unwrap();
        assert!(finish(open_to_any(&Blocking(deadline), &proxy, &addresses)).is_err());
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
