//! A connection over a stream on which the handshake is done.

use std::io::{self, Write};

use super::{Buffers, Config, Reader, Writer};
use crate::error::Error;
use crate::frame::os_key;
#[cfg(feature = "handshake")]
use crate::handshake::Established;
use crate::protocol::{Encoder, Role};

/// Both sides of a connection. What is left over is read first.
pub(crate) fn open<S>(
    stream: S,
    leftover: &[u8],
    role: Role,
    config: &Config,
    buffers: Buffers,
) -> Result<(Reader, Writer<S>), Error> {
    config.check()?;
    let encoder = match role {
        Role::Server => Encoder::server(),
        Role::Client => Encoder::client(os_key),
    };
    let reader = Reader::new(role, config, leftover, buffers.clone());
    Ok((reader, Writer::new(stream, encoder, config, buffers)))
}

/// Both sides of a connection, with what the handshake agreed on.
#[cfg(feature = "handshake")]
pub(crate) fn open_established<S>(
    established: Established<S>,
    role: Role,
    config: &Config,
    buffers: Buffers,
) -> Result<(Reader, Writer<S>), Error> {
    let parts = established.into_parts();
    #[cfg_attr(not(feature = "deflate"), expect(unused_mut))]
    let (mut reader, mut writer) = open(parts.stream, &parts.leftover, role, config, buffers)?;
    #[cfg(feature = "deflate")]
    if let Some(negotiated) = parts.deflate {
        set_deflate(&mut reader, &mut writer, &negotiated);
    }
    Ok((reader, writer))
}

/// Ends a connection that this end has aborted while it was split.
pub(crate) fn abort<S: Write>(reader: &mut Reader, writer: &mut Writer<S>) {
    reader.abort();
    writer.fail(io::ErrorKind::ConnectionAborted.into());
}

/// Compresses messages both ways from now on.
#[cfg(feature = "deflate")]
pub(crate) fn set_deflate<S>(
    reader: &mut Reader,
    writer: &mut Writer<S>,
    negotiated: &crate::deflate::Negotiated,
) {
    let role = writer.role();
    reader.set_inflater(negotiated.inflater(role));
    writer.set_deflater(negotiated.deflater(role));
}
