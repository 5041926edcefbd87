//! The TLS handshake, over a stream of one thread and by a deadline.

use super::error::{broken, refused, refused_client};
use crate::Socket;
use crate::upgrade::deadline::{Deadline, PIECE};
use crate::upgrade::{Error, ErrorKind};
use rustls::Connection;
use std::io;

/// Does the handshake. What the peer sent right after it is left in the session.
pub(super) fn handshake<S: Socket>(
    socket: &mut S,
    session: &mut Connection,
    peer: &str,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut piece = [0; PIECE];
    loop {
        send(socket, session, deadline).map_err(|error| broken(peer, error, deadline))?;
        if !session.is_handshaking() {
            return Ok(());
        }
        let count = match deadline.read(socket, &mut piece) {
            Ok(0) => Err(Error::new(ErrorKind::Closed, "")),
            result => result,
        }
        .map_err(|error| broken(peer, error, deadline))?;
        if let Err(error) = feed(session, &piece[..count]) {
            // The alert tells the peer why. Whether it gets there changes nothing.
            let _ = send(socket, session, deadline);
            return Err(match session {
                Connection::Client(_) => refused(peer, error),
                Connection::Server(_) => refused_client(error),
            });
        }
    }
}

fn send<S: Socket>(
    socket: &mut S,
    session: &mut Connection,
    deadline: Deadline,
) -> Result<(), Error> {
    let mut flight = Vec::new();
    take_sealed(session, &mut flight);
    if flight.is_empty() {
        return Ok(());
    }
    deadline.write_all(socket, &flight)
}

fn feed(session: &mut Connection, mut piece: &[u8]) -> Result<(), rustls::Error> {
    while !piece.is_empty() {
        // Fails or takes nothing where a peer goes on after its close or over a bound.
        match session.read_tls(&mut piece) {
            Ok(1..) => session.process_new_packets()?,
            Ok(0) => return Ok(()),
            Err(error) => return Err(over_bound(&error)),
        };
    }
    Ok(())
}

/// Moves what the session has to send behind `sealed`.
pub(super) fn take_sealed(session: &mut Connection, sealed: &mut Vec<u8>) {
    // Writing to memory does not fail.
    while session.wants_write() && session.write_tls(sealed).is_ok() {}
}

/// The session holds no more than one record; a longer one breaks TLS.
pub(super) fn over_bound(error: &io::Error) -> rustls::Error {
    rustls::Error::General(error.to_string())
}
