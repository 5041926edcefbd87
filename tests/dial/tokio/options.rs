//! What the handshake does to the options of a socket.

use framewire::handshake::{Acceptor, Connector};
use framewire::tokio::{accept_with, connect_stream_with, connect_with};
use framewire::{Config, upgrade};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::servers::certificates::Authority;

#[tokio::test]
async fn small_messages_leave_at_once_unless_that_is_switched_off() {
    for nodelay in [true, false] {
        let acceptor = Acceptor::new().nodelay(nodelay);
        let connector = Connector::new().nodelay(nodelay);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            let websocket = accept_with(stream, &acceptor, Config::default()).await;
            assert_eq!(websocket.unwrap().stream().nodelay().unwrap(), nodelay);
        };
        let uri = format!("ws://{address}/");
        let client = async {
            let stream = TcpStream::connect(address).await.unwrap();
            let websocket = connect_stream_with(stream, &uri, &connector, Config::default()).await;
            assert_eq!(websocket.unwrap().stream().nodelay().unwrap(), nodelay);
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn over_tls_too() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(authority.server(&["localhost"]));
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let websocket = accept_with(stream, &Acceptor::new(), Config::default()).await;
        assert!(websocket.unwrap().stream().get_ref().0.nodelay().unwrap());
    };
    let client = async {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = "localhost".try_into().unwrap();
        let stream = TlsConnector::from(authority.client()).connect(name, stream);
        let (uri, connector) = ("wss://localhost/", Connector::new());
        let stream = stream.await.unwrap();
        let websocket = connect_stream_with(stream, uri, &connector, Config::default()).await;
        assert!(websocket.unwrap().stream().get_ref().0.nodelay().unwrap());
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_connection_that_is_dialled_can_have_it_switched_off_too() {
    let uri = format!("ws://{}/", crate::servers::serve());
    for nodelay in [true, false] {
        let connector = Connector::new().nodelay(nodelay);
        let websocket = connect_with(&uri, &connector, Config::default()).await;
        let websocket = websocket.unwrap();
        assert_eq!(websocket.stream().get_ref().nodelay().unwrap(), nodelay);
    }
    let dialler = upgrade::Dialer::new();
    let time = crate::servers::PATIENCE;
    let uri = uri.replace("ws://", "http://").parse().unwrap();
    let stream = framewire::tokio::upgrade::dial(&dialler, &uri, time)
        .await
        .unwrap();
    assert!(stream.get_ref().nodelay().unwrap());
}
