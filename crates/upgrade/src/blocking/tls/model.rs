//! Model tests of threads that share a TLS session, in the orders in which they can meet with up to three switches:
//! what the session has to say is said, and in an order that the peer understands.
//!
//! `cargo xtask model` runs these with loom.

use super::TlsStream;
use crate::{Duplicate, Socket};
use loom::thread;
use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig, ServerConnection,
};
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// A stream whose peer takes everything, and has said all that it will.
#[derive(Clone, Default)]
struct Peer(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    input: Vec<u8>,
    taken: Vec<u8>,
}

impl Peer {
    fn saying(input: Vec<u8>) -> Self {
        let taken = Vec::new();
        Self(Arc::new(Mutex::new(State { input, taken })))
    }

    fn taken(&self) -> Vec<u8> {
        mem::take(&mut self.0.lock().unwrap().taken)
    }
}

impl Read for Peer {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let input = &mut self.0.lock().unwrap().input;
        let len = input.len().min(buf.len());
        if len == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        buf[..len].copy_from_slice(&input[..len]);
        input.drain(..len);
        Ok(len)
    }
}

impl Write for Peer {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().taken.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Socket for Peer {
    fn set_read_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _timeout: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

impl Duplicate for Peer {
    fn duplicate(&self) -> io::Result<Self> {
        Ok(self.clone())
    }

    fn abort(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs `job` in every order with at most three switches away from a thread that could have gone on.
fn model(job: impl Fn() + Sync + Send + 'static) {
    LazyLock::force(&CONFIGURATIONS);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(job);
}

/// A server's session and its client's, past the handshake.
fn sessions() -> (ServerConnection, ClientConnection) {
    let (server, client) = &*CONFIGURATIONS;
    let name = NAME.try_into().unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
    while client.wants_write() || server.wants_write() {
        let said = said(&mut client);
        server.read_tls(&mut &said[..]).unwrap();
        server.process_new_packets().unwrap();
        let mut answer = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut answer).unwrap();
        }
        hear(&mut client, &answer).unwrap();
    }
    (server, client)
}

/// Returns what a client has to send.
fn said(client: &mut ClientConnection) -> Vec<u8> {
    let mut said = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut said).unwrap();
    }
    said
}

/// Gives a client what it was sent. Returns what it has read of that, and whether it is told the end.
fn hear(client: &mut ClientConnection, mut sent: &[u8]) -> Result<(Vec<u8>, bool), Error> {
    let (mut read, mut is_ended) = (Vec::new(), false);
    while !sent.is_empty() {
        client.read_tls(&mut sent).unwrap();
        is_ended = client.process_new_packets()?.peer_has_closed();
        let _ = client.reader().read_to_end(&mut read);
    }
    Ok((read, is_ended))
}

#[test]
fn an_alert_leaves_whichever_thread_writes() {
    model(|| {
        let (server, mut client) = sessions();
        // A record of application data that nobody has sealed.
        let mut broken = vec![23, 3, 3, 0, 32];
        broken.resize(5 + 32, 7);
        let peer = Peer::saying(broken);
        let mut reader = TlsStream::over(peer.clone(), server.into());
        let mut writer = reader.duplicate().unwrap();
        let writing = thread::spawn(move || drop(writer.write(b"x")));
        let error = reader.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        writing.join().unwrap();
        let heard = hear(&mut client, &peer.taken());
        assert!(matches!(heard, Err(Error::AlertReceived(_))), "{heard:?}");
    });
}

#[test]
fn what_one_thread_writes_is_whole_while_another_changes_the_keys() {
    model(|| {
        let (server, mut client) = sessions();
        client.refresh_traffic_keys().unwrap();
        client.writer().write_all(b"?").unwrap();
        let peer = Peer::saying(said(&mut client));
        let mut reader = TlsStream::over(peer.clone(), server.into());
        let mut writer = reader.duplicate().unwrap();
        let writing = thread::spawn(move || {
            writer.write_all(b"hello").unwrap();
            writer.shutdown_write().unwrap();
        });
        assert_eq!(reader.read(&mut [0]).unwrap(), 1);
        writing.join().unwrap();
        let heard = hear(&mut client, &peer.taken());
        assert_eq!(heard.unwrap(), (b"hello".to_vec(), true));
    });
}

#[test]
fn messages_of_two_threads_are_whole() {
    model(|| {
        let (server, mut client) = sessions();
        let peer = Peer::default();
        let mut one = TlsStream::over(peer.clone(), server.into());
        let mut other = one.duplicate().unwrap();
        let writing = thread::spawn(move || other.write_all(b"bb").unwrap());
        one.write_all(b"aa").unwrap();
        writing.join().unwrap();
        let (heard, _) = hear(&mut client, &peer.taken()).unwrap();
        assert!(heard == b"aabb" || heard == b"bbaa", "{heard:?}");
    });
}

static CONFIGURATIONS: LazyLock<(Arc<ServerConfig>, Arc<ClientConfig>)> = LazyLock::new(|| {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([NAME.to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let server = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    let client = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
});

const NAME: &str = "a.example";
