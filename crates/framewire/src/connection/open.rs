//! Opening a connection over a stream on which the handshake is done.

use std::io;

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::{Buffers, Config};
use crate::error::Error;
use crate::frame::os_key;
use crate::protocol::{Agreement, Encoder, Role};

/// Returns both sides of a connection. `leftover` is read before the stream.
pub(crate) fn open<S>(
    stream: S,
    leftover: &[u8],
    role: Role,
    config: &Config,
    buffers: Buffers,
) -> Result<(Inbound, Outbound, S), Error> {
    config.check()?;
    let encoder = match role {
        Role::Server => Encoder::server(),
        Role::Client => Encoder::client(os_key),
    };
    let inbound = Inbound::new(role, config, leftover, buffers.clone());
    Ok((inbound, Outbound::new(encoder, config, buffers), stream))
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
