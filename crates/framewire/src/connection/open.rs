//! Opening a connection on which the handshake is done.

use std::io;

use super::Config;
use super::inbound::Inbound;
use super::outbound::Outbound;
use crate::error::Error;
use crate::frame::os_key;
use crate::pool::Buffers;
use crate::protocol::{Agreement, Role, Session};

/// Returns both sides of a connection. `leftover` is read before the stream.
pub(crate) fn open(
    leftover: &[u8],
    role: Role,
    config: &Config,
    buffers: Buffers,
) -> Result<(Inbound, Outbound), Error> {
    config.check()?;
    let mut session = match role {
        Role::Server => Session::server(config.limits),
        Role::Client => Session::client(config.limits, os_key),
    };
    session.allow_rsv(config.rsv);
    let (receiver, sender) = session.split();
    let inbound = Inbound::new(receiver, config, leftover, buffers.clone());
    Ok((inbound, Outbound::new(sender, config, buffers)))
}

/// Ends a connection that this end aborted while it was split.
pub(crate) fn abort(inbound: &mut Inbound, outbound: &mut Outbound) {
    inbound.lose(outbound);
    outbound.fail(io::ErrorKind::ConnectionAborted.into());
}

/// Transforms messages in both directions from now on.
pub(crate) fn set_extension(
    inbound: &mut Inbound,
    outbound: &mut Outbound,
    agreed: &dyn Agreement,
) {
    let role = outbound.role();
    inbound.set_message_decoder(agreed.decoder(role));
    outbound.set_message_encoder(agreed.encoder(role));
}
