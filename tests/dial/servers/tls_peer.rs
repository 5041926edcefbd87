//! The other end of a TLS connection, by rustls alone.

use super::certificates::Authority;
use framewire::protocol::Role;
use framewire::rustls::pki_types::ServerName;
use framewire::rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData,
    StreamOwned,
};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::DerefMut;
use std::sync::{Arc, LazyLock};

/// Does the handshake with an end of this role, says these pieces and that there is no more. Returns what it was sent
/// up to the end, and whether that end was one of TLS.
pub(crate) fn converse(socket: TcpStream, role: Role, pieces: &[Vec<u8>]) -> (Vec<u8>, bool) {
    match role {
        Role::Server => {
            let session = ClientConnection::new(client(), name()).unwrap();
            converse_in(session, socket, pieces)
        }
        Role::Client => {
            let session = ServerConnection::new(server()).unwrap();
            converse_in(session, socket, pieces)
        }
    }
}

fn converse_in<C, D>(session: C, socket: TcpStream, pieces: &[Vec<u8>]) -> (Vec<u8>, bool)
where
    C: DerefMut<Target = ConnectionCommon<D>>,
    D: SideData,
{
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    for piece in pieces {
        stream.write_all(piece).unwrap();
    }
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    let mut sent = vec![];
    let end = stream.read_to_end(&mut sent);
    if let Err(error) = &end {
        // There was no `close_notify`.
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
    (sent, end.is_ok())
}

/// What both ends are configured with.
static CONFIGURATIONS: LazyLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = LazyLock::new(|| {
    let authority = Authority::new();
    (authority.server(&[NAME]), authority.client())
});

pub(crate) fn server() -> Arc<ServerConfig> {
    Arc::clone(&CONFIGURATIONS.0)
}

pub(crate) fn client() -> Arc<ClientConfig> {
    Arc::clone(&CONFIGURATIONS.1)
}

pub(crate) fn name() -> ServerName<'static> {
    NAME.try_into().unwrap()
}

pub(crate) const NAME: &str = "a.example";
