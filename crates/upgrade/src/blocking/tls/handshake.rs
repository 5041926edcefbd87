//! The TLS handshake.

use super::records::{over_bound, take_sealed};
use crate::Socket;
use crate::blocking::wire::BlockingWire;
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::Wire as _;
use crate::tls::{broken, refused, refused_client};
use rustls::Connection;

/// Does the handshake by the wire's deadline. What the peer sent right after it stays in the session.
pub(super) fn handshake<S: Socket>(
    wire: &mut BlockingWire<S>,
    session: &mut Connection,
    peer: &str,
) -> Result<(), UpgradeError> {
    let deadline = wire.deadline();
    let is_broken = |error| broken(peer, error, deadline);
    let mut piece = [0; PIECE];
    loop {
        send(wire, session).map_err(is_broken)?;
        if !session.is_handshaking() {
            return Ok(());
        }
        let count = match wire.read(&mut piece) {
            Ok(0) => Err(UpgradeError::new(UpgradeErrorKind::Closed, "")),
            result => result,
        }
        .map_err(is_broken)?;
        if let Err(error) = feed(session, &piece[..count]) {
            // The alert tells the peer why. Whether it arrives changes nothing.
            let _ = send(wire, session);
            return Err(match session {
                Connection::Client(_) => refused(peer, error),
                Connection::Server(_) => refused_client(error),
            });
        }
    }
}

fn send<S: Socket>(
    wire: &mut BlockingWire<S>,
    session: &mut Connection,
) -> Result<(), UpgradeError> {
    let mut flight = Vec::new();
    take_sealed(session, &mut flight);
    if flight.is_empty() {
        return Ok(());
    }
    wire.write_all(&flight)
}

fn feed(session: &mut Connection, mut piece: &[u8]) -> Result<(), rustls::Error> {
    while !piece.is_empty() {
        // Fails, or takes nothing, where a peer sends more after its close or over a limit.
        match session.read_tls(&mut piece) {
            Ok(1..) => session.process_new_packets()?,
            Ok(0) => return Ok(()),
            Err(error) => return Err(over_bound(&error)),
        };
    }
    Ok(())
}

/// How many bytes are read at once.
const PIECE: usize = 4096;
