//! A tunnel through an HTTP proxy (RFC 9110 9.3.6).

use super::endpoint::Endpoint;
use super::proxy::Credentials;
use crate::upgrade::client::read_body;
use crate::upgrade::deadline::{Deadline, PIECE};
use crate::upgrade::{Error, ErrorKind, Limits, ResponseDecoder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;
use std::net::TcpStream;

/// Asks the proxy at the other end of a stream for a tunnel, and takes no more from the stream than
/// the head of its answer: what follows is the target's.
pub(super) fn open(
    stream: &mut TcpStream,
    target: &Endpoint,
    credentials: Option<&Credentials>,
    deadline: Deadline,
) -> Result<(), Error> {
    deadline.write_all(stream, &encode(target, credentials))?;
    let response = read_head(stream, deadline)?;
    // Any 2xx is a tunnel, whatever its length fields say.
    if response.status().is_success() {
        return Ok(());
    }
    let message = format!("it refused the tunnel with status {}", response.status());
    let response = read_body(stream, response, &[], deadline);
    Err(Error::new(ErrorKind::Proxy, message).with_received(response))
}

/// The request for a tunnel.
fn encode(target: &Endpoint, credentials: Option<&Credentials>) -> Vec<u8> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(Credentials { user, password }) = credentials {
        let basic = STANDARD.encode(format!("{user}:{password}"));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&basic);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

fn read_head(stream: &mut TcpStream, deadline: Deadline) -> Result<Response<()>, Error> {
    let mut decoder = ResponseDecoder::new(&Limits::default());
    let mut piece = [0; PIECE];
    loop {
        let count = deadline.peek(stream, &mut piece)?;
        if count == 0 {
            return Err(Error::new(ErrorKind::Closed, "it ended the connection"));
        }
        let (used, response) = decoder.decode(&piece[..count])?;
        // It is there already.
        deadline.read_exact(stream, &mut piece[..used])?;
        if let Some(response) = response {
            return Ok(response);
        }
    }
}
