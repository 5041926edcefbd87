//! How TLS ends: with `close_notify`, so that the peer can tell an end from a cut (RFC 9112 9.8, RFC 6455 7.1.1).

use crate::servers::PATIENCE;
use crate::servers::tls_peer::{NAME, client, converse, name, server};
use framewire::protocol::Role;
use framewire::upgrade::TlsStream;
use framewire::{Config, ErrorKind, blocking};
use std::net::{Shutdown, TcpStream};
use std::thread;
use support::frames::{CLOSE, FIN, close_payload, to};
use support::loopback::tcp;
use tokio::runtime::Builder;
use tokio::time::timeout;

#[test]
fn a_shutdown_ends_tls_too() {
    for run in runs([Use::Shutdown, Use::ShutdownOfAHalf]) {
        for role in [Role::Server, Role::Client] {
            let close = to(role, FIN | CLOSE, close_payload(1000, "")).bytes();
            run.ends_tls(role, &close);
        }
    }
}

#[test]
fn a_client_that_was_refused_ends_tls() {
    let refusals: [&[u8]; 3] = [
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"what\r\n\r\n",
    ];
    for run in runs([Use::Handshake]) {
        for refusal in refusals {
            run.ends_tls(Role::Client, refusal);
        }
    }
}

#[test]
fn a_server_that_refuses_ends_tls() {
    let requests: [&[u8]; 4] = [
        b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 9\r\n\r\n",
        b"what\r\n\r\n",
        b"",
    ];
    for run in runs([Use::Handshake]) {
        for request in requests {
            run.ends_tls(Role::Server, request);
        }
    }
}

/// Each of these uses with each front end.
fn runs<const N: usize>(uses: [Use; N]) -> impl Iterator<Item = Run> {
    let both = |used| [Run::Blocking(used), Run::Tokio(used)];
    uses.into_iter().flat_map(both)
}

/// What is done with a stream over TLS before it is dropped.
#[derive(Debug, Clone, Copy)]
enum Use {
    Shutdown,
    ShutdownOfAHalf,
    /// An opening handshake that fails.
    Handshake,
}

/// A use by one of the front ends.
#[derive(Debug, Clone, Copy)]
enum Run {
    Blocking(Use),
    Tokio(Use),
}

impl Run {
    /// Checks that a peer which says this, and that it has no more to say, is told the end by TLS.
    fn ends_tls(self, role: Role, said: &[u8]) {
        let (near, far) = tcp();
        // What is left unread at the end is no reset before the peer has read all that it was sent.
        let kept = near.try_clone().unwrap();
        let said = vec![said.to_vec()];
        let peer = thread::spawn(move || converse(far, role, &said));
        match self {
            Self::Blocking(used) => use_blocking(used, role, near),
            Self::Tokio(used) => use_tokio(used, role, near),
        }
        // It may be shut down already.
        let _ = kept.shutdown(Shutdown::Write);
        let (sent, is_clean) = peer.join().unwrap();
        assert!(is_clean, "{self:?} as {role:?}: {sent:?}");
    }
}

fn use_blocking(used: Use, role: Role, socket: TcpStream) {
    let stream = match role {
        Role::Server => TlsStream::accept(socket, server(), PATIENCE),
        Role::Client => TlsStream::connect(socket, NAME, client(), PATIENCE),
    };
    let stream = stream.unwrap();
    if let Use::Handshake = used {
        let failed = match role {
            Role::Server => framewire::accept(stream),
            Role::Client => framewire::connect_stream(stream, "wss://a.example/"),
        };
        assert!(matches!(
            failed.unwrap_err().kind(),
            ErrorKind::Handshake(_)
        ));
        return;
    }
    let opened = blocking::WebSocket::with_leftover(stream, &[], role, Config::default());
    let mut websocket = opened.unwrap();
    let shutdown = match used {
        Use::ShutdownOfAHalf => websocket.split().unwrap().0.shutdown(PATIENCE),
        _ => websocket.shutdown(PATIENCE),
    };
    assert!(shutdown.unwrap().clean);
}

fn use_tokio(used: Use, role: Role, socket: TcpStream) {
    socket.set_nonblocking(true).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::from_std(socket).unwrap();
        let used = use_in_a_task(used, role, socket);
        timeout(PATIENCE, used)
            .await
            .expect("nothing waits for ever");
    });
}

async fn use_in_a_task(used: Use, role: Role, socket: tokio::net::TcpStream) {
    let stream: tokio_rustls::TlsStream<_> = match role {
        Role::Server => {
            let accepted = tokio_rustls::TlsAcceptor::from(server()).accept(socket);
            accepted.await.unwrap().into()
        }
        Role::Client => {
            let connected = tokio_rustls::TlsConnector::from(client()).connect(name(), socket);
            connected.await.unwrap().into()
        }
    };
    if let Use::Handshake = used {
        let failed = match role {
            Role::Server => framewire::tokio::accept(stream).await,
            Role::Client => framewire::tokio::connect_stream(stream, "wss://a.example/").await,
        };
        assert!(matches!(
            failed.unwrap_err().kind(),
            ErrorKind::Handshake(_)
        ));
        return;
    }
    let opened = framewire::tokio::WebSocket::with_leftover(stream, &[], role, Config::default());
    let mut websocket = opened.unwrap();
    let shutdown = match used {
        Use::ShutdownOfAHalf => websocket.split().0.shutdown(PATIENCE).await,
        _ => websocket.shutdown(PATIENCE).await,
    };
    assert!(shutdown.unwrap().clean);
}
