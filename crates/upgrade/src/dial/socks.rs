//! A client of SOCKS version 5 (RFC 1928), with a password where necessary (RFC 1929).

use super::endpoint::{Endpoint, Host};
use super::proxy::Credentials;
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::{Wire, read_exact, write_all};
use std::net::IpAddr;

/// Asks the proxy at the other end of a stream for a connection. Reads no more from the stream than its answers.
pub(super) async fn open<W: Wire>(
    wire: &mut W,
    target: &Endpoint,
    credentials: Option<&Credentials>,
) -> Result<(), Failure> {
    let (mut client, mut next) = Client::new(target, credentials)?;
    while let Next::Exchange { send, expected } = next {
        write_all(wire, &send).await?;
        next = client.receive(&read_exact(wire, expected).await?)?;
    }
    Ok(())
}

/// Why a proxy made no connection.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: UpgradeError,
    /// Whether another address of the target may succeed.
    pub(super) of_address: bool,
}

impl From<UpgradeError> for Failure {
    fn from(error: UpgradeError) -> Self {
        Self {
            error,
            of_address: false,
        }
    }
}

/// The client's side of the protocol, without I/O.
struct Client {
    state: State,
    authentication: Option<Vec<u8>>,
    request: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Send all of it, which may be nothing, then receive exactly so many bytes.
    Exchange { send: Vec<u8>, expected: usize },
    /// The target receives what is sent from here on.
    Connected,
}

/// What must be received next.
#[derive(Debug, Clone, Copy)]
enum State {
    Method,
    Authentication,
    Reply,
    NameLength,
    Bound,
}

impl Client {
    fn new(
        target: &Endpoint,
        credentials: Option<&Credentials>,
    ) -> Result<(Self, Next), UpgradeError> {
        let client = Self {
            state: State::Method,
            authentication: credentials.map(encode_credentials),
            request: encode_request(target)?,
        };
        let methods: &[u8] = match credentials {
            Some(_) => &[NO_AUTHENTICATION, PASSWORD],
            None => &[NO_AUTHENTICATION],
        };
        let mut greeting = vec![VERSION, methods.len() as u8];
        greeting.extend_from_slice(methods);
        Ok((client, exchange(greeting, 2)))
    }

    /// Takes exactly the bytes that were asked for.
    fn receive(&mut self, received: &[u8]) -> Result<Next, Failure> {
        let (state, next) = match (self.state, received) {
            (State::Method, &[VERSION, method]) => self.authenticate(method)?,
            (State::Authentication, &[_, 0]) => self.ask(),
            (State::Authentication, _) => {
                return Err(refused("it does not take the password").into());
            }
            (State::Reply, &[VERSION, 0, _, kind]) => match kind {
                IPV4 => (State::Bound, exchange(Vec::new(), 4 + PORT)),
                IPV6 => (State::Bound, exchange(Vec::new(), 16 + PORT)),
                NAME => (State::NameLength, exchange(Vec::new(), 1)),
                _ => return Err(refused("it answered with an unknown kind of address").into()),
            },
            (State::Reply, &[VERSION, reply, _, _]) => {
                return Err(Failure {
                    error: refused(reason(reply)),
                    // RFC 1928 6: of the failures here, these depend on the address.
                    of_address: matches!(reply, 3..=6 | 8),
                });
            }
            (State::NameLength, &[len]) => {
                let rest = usize::from(len) + PORT;
                (State::Bound, exchange(Vec::new(), rest))
            }
            (State::Bound, _) => (State::Bound, Next::Connected),
            _ => return Err(refused("it does not speak socks version 5").into()),
        };
        self.state = state;
        Ok(next)
    }

    fn authenticate(&mut self, method: u8) -> Result<(State, Next), UpgradeError> {
        match (method, self.authentication.take()) {
            (NO_AUTHENTICATION, _) => Ok(self.ask()),
            (PASSWORD, Some(send)) => Ok((State::Authentication, exchange(send, 2))),
            (NONE_ACCEPTABLE, Some(_)) => Err(refused("it does not take a password")),
            (NONE_ACCEPTABLE, None) => Err(refused("it asks for authentication")),
            _ => Err(refused(
                "it chose a method of authentication that was not offered",
            )),
        }
    }

    fn ask(&mut self) -> (State, Next) {
        (State::Reply, exchange(std::mem::take(&mut self.request), 4))
    }
}

fn exchange(send: Vec<u8>, expected: usize) -> Next {
    Next::Exchange { send, expected }
}

/// RFC 1928 4.
fn encode_request(target: &Endpoint) -> Result<Vec<u8>, UpgradeError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match &target.host {
        Host::Address(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Host::Address(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
        Host::Name(name) => {
            let Ok(len) = u8::try_from(name.len()) else {
                let message = format!("host of {} bytes is too long for socks", name.len());
                return Err(UpgradeError::new(
                    UpgradeErrorKind::InvalidArgument,
                    message,
                ));
            };
            request.extend_from_slice(&[NAME, len]);
            request.extend_from_slice(name.as_bytes());
        }
    }
    request.extend_from_slice(&target.port.to_be_bytes());
    Ok(request)
}

/// RFC 1929 2. [`Credentials`] have 255 bytes at most each.
fn encode_credentials(credentials: &Credentials) -> Vec<u8> {
    let mut bytes = vec![PASSWORD_VERSION];
    for text in [&credentials.user, &credentials.password] {
        bytes.push(text.len() as u8);
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

fn refused(why: &str) -> UpgradeError {
    UpgradeError::new(UpgradeErrorKind::Proxy, why)
}

/// RFC 1928 6.
fn reason(reply: u8) -> &'static str {
    match reply {
        1 => "general failure of the proxy",
        2 => "its rules do not allow it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "it does not know the command",
        8 => "it does not know the kind of address",
        _ => "it failed for a reason that has no name",
    }
}

const VERSION: u8 = 5;
const PASSWORD_VERSION: u8 = 1;
const NO_AUTHENTICATION: u8 = 0;
const PASSWORD: u8 = 2;
const NONE_ACCEPTABLE: u8 = 0xFF;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;
/// The length of a port in bytes.
const PORT: usize = 2;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The most that is received at once: a name and a port.
    const LONGEST: usize = 255 + PORT;

    fn client(target: &str, credentials: Option<(&str, &str)>) -> (Client, Next) {
        let credentials = credentials.map(|(user, password)| Credentials {
            user: user.to_owned(),
            password: password.to_owned(),
        });
        Client::new(&Endpoint::parse(target, 80).unwrap(), credentials.as_ref()).unwrap()
    }

    fn says(next: &Next, bytes: &[u8], expected: usize) {
        assert_eq!(*next, exchange(bytes.to_vec(), expected));
    }

    #[test]
    fn rfc1928_connection_without_authentication() {
        let (mut client, next) = client("a.example:81", None);
        says(&next, &[5, 1, 0], 2);
        says(
            &client.receive(&[5, 0]).unwrap(),
            b"\x05\x01\0\x03\x09a.example\0\x51",
            4,
        );
        says(&client.receive(&[5, 0, 0, 1]).unwrap(), b"", 6);
        assert_eq!(client.receive(&[0; 6]).unwrap(), Next::Connected);
    }

    #[test]
    fn rfc1929_user_and_password() {
        let (mut client, next) = client("192.0.2.1", Some(("me", "xyz")));
        says(&next, &[5, 2, 0, 2], 2);
        says(&client.receive(&[5, 2]).unwrap(), b"\x01\x02me\x03xyz", 2);
        says(
            &client.receive(&[1, 0]).unwrap(),
            &[5, 1, 0, 1, 192, 0, 2, 1, 0, 80],
            4,
        );
        says(&client.receive(&[5, 0, 0, 3]).unwrap(), b"", 1);
        says(&client.receive(&[255]).unwrap(), b"", LONGEST);
        assert_eq!(client.receive(&[0; LONGEST]).unwrap(), Next::Connected);
    }

    #[test]
    fn rfc1928_ipv6_addresses() {
        let (mut client, _) = client("[::1]:80", Some(("me", "")));
        let request = [
            5, 1, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80,
        ];
        // A proxy may ignore the password that was offered.
        says(&client.receive(&[5, 0]).unwrap(), &request, 4);
        says(&client.receive(&[5, 0, 0, 4]).unwrap(), b"", 18);
        assert_eq!(client.receive(&[0; 18]).unwrap(), Next::Connected);
    }

    #[test]
    fn answers_that_end_it() {
        for (credentials, answers, words) in [
            (None, &[&[5, 0xFF][..]][..], "it asks for authentication"),
            (
                None,
                &[&[5, 2]],
                "it chose a method of authentication that was not offered",
            ),
            (
                Some(("u", "p")),
                &[&[5, 1]],
                "it chose a method of authentication that was not offered",
            ),
            (
                Some(("u", "p")),
                &[&[5, 0xFF]],
                "it does not take a password",
            ),
            (
                Some(("u", "p")),
                &[&[5, 2], &[1, 1]],
                "it does not take the password",
            ),
            (None, &[&[4, 0]], "it does not speak socks version 5"),
            (None, &[b"HT"], "it does not speak socks version 5"),
            (
                None,
                &[&[5, 0], b"HTTP"],
                "it does not speak socks version 5",
            ),
            (
                None,
                &[&[5, 0], &[5, 0, 0, 2]],
                "it answered with an unknown kind of address",
            ),
            (
                None,
                &[&[5, 0], &[5, 1, 0, 1]],
                "general failure of the proxy",
            ),
            (None, &[&[5, 0], &[5, 2, 0, 1]], "its rules do not allow it"),
            (None, &[&[5, 0], &[5, 3, 0, 1]], "network unreachable"),
            (None, &[&[5, 0], &[5, 4, 0, 1]], "host unreachable"),
            (None, &[&[5, 0], &[5, 5, 0, 1]], "connection refused"),
            (None, &[&[5, 0], &[5, 6, 0, 1]], "time to live expired"),
            (
                None,
                &[&[5, 0], &[5, 7, 0, 1]],
                "it does not know the command",
            ),
            (
                None,
                &[&[5, 0], &[5, 8, 0, 1]],
                "it does not know the kind of address",
            ),
            (
                None,
                &[&[5, 0], &[5, 99, 0, 1]],
                "it failed for a reason that has no name",
            ),
        ] {
            let (mut client, _) = client("a", credentials);
            let (last, first) = answers.split_last().unwrap();
            for answer in first {
                client.receive(answer).unwrap();
            }
            let error = client.receive(last).unwrap_err().error;
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (UpgradeErrorKind::Proxy, words)
            );
        }
    }

    #[test]
    fn rfc1928_5_names_are_of_255_bytes_at_most() {
        let endpoint = |len| Endpoint {
            host: Host::Name("a".repeat(len)),
            port: 80,
        };
        assert!(Client::new(&endpoint(255), None).is_ok());
        let error = Client::new(&endpoint(256), None).err().unwrap();
        assert_eq!(error.kind(), UpgradeErrorKind::InvalidArgument);
    }
}
