//! What the handshake does to the options of a socket.

use framewire::handshake::{Acceptor, Connector};
use framewire::{Config, WebSocket, accept_with, connect_stream_with};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Both ends of a connection past the handshake: the server's and the client's.
fn shake_hands(
    acceptor: &Acceptor,
    connector: &Connector,
    prepare: impl Fn(&TcpStream) + Sync,
) -> [WebSocket<TcpStream>; 2] {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (stream, _) = listener.accept().unwrap();
            prepare(&stream);
            accept_with(stream, acceptor, Config::default()).unwrap()
        });
        let stream = TcpStream::connect(address).unwrap();
        prepare(&stream);
        let uri = format!("ws://{address}/");
        let client = connect_stream_with(stream, &uri, connector, Config::default()).unwrap();
        [server.join().unwrap(), client]
    })
}

#[test]
fn small_messages_leave_at_once_unless_that_is_switched_off() {
    for nodelay in [true, false] {
        let acceptor = Acceptor::new().nodelay(nodelay);
        let connector = Connector::new().nodelay(nodelay);
        for websocket in shake_hands(&acceptor, &connector, |_| {}) {
            assert_eq!(websocket.stream().nodelay().unwrap(), nodelay);
        }
    }
    for websocket in shake_hands(&Acceptor::new(), &Connector::new(), |_| {}) {
        assert!(websocket.stream().nodelay().unwrap());
    }
}

#[test]
fn a_connection_that_is_dialled_can_have_it_switched_off_too() {
    let uri = format!("ws://{}/", crate::servers::serve());
    for nodelay in [true, false] {
        let connector = Connector::new().nodelay(nodelay);
        let websocket = framewire::connect_with(&uri, &connector, Config::default()).unwrap();
        assert_eq!(websocket.stream().get_ref().nodelay().unwrap(), nodelay);
    }
}

#[test]
fn time_outs_that_are_set_between_request_and_answer_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (read, write) = (Duration::from_secs(7), Duration::from_secs(11));
    thread::scope(|scope| {
        scope.spawn(|| {
            let stream = TcpStream::connect(address).unwrap();
            let uri = format!("ws://{address}/");
            framewire::connect_stream(stream, &uri).unwrap();
        });
        let (stream, _) = listener.accept().unwrap();
        let pending = Acceptor::new().receive(stream).unwrap();
        pending.get_ref().set_read_timeout(Some(read)).unwrap();
        pending.get_ref().set_write_timeout(Some(write)).unwrap();
        let established = pending.accept().unwrap();
        let stream = established.get_ref();
        assert_eq!(stream.read_timeout().unwrap(), Some(read));
        assert_eq!(stream.write_timeout().unwrap(), Some(write));
    });
}

#[test]
fn time_outs_that_were_set_before_are_set_after() {
    let (read, write) = (Duration::from_secs(7), Duration::from_secs(11));
    let prepare = |stream: &TcpStream| {
        stream.set_read_timeout(Some(read)).unwrap();
        stream.set_write_timeout(Some(write)).unwrap();
    };
    let [server, mut client] = shake_hands(&Acceptor::new(), &Connector::new(), prepare);
    let assert_set = |websocket: &WebSocket<TcpStream>| {
        let stream = websocket.stream();
        assert_eq!(stream.read_timeout().unwrap(), Some(read));
        assert_eq!(stream.write_timeout().unwrap(), Some(write));
    };
    assert_set(&server);
    assert_set(&client);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut server = server;
            server.shutdown(crate::servers::PATIENCE).unwrap();
            assert_set(&server);
        });
        client.shutdown(crate::servers::PATIENCE).unwrap();
    });
    assert_set(&client);
}
