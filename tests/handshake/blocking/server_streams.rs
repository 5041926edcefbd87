//! The server's end over a stream that blocks, and what is left of it.

use framewire::Socket;
use framewire::handshake::Acceptor;
use framewire::upgrade::{self, Limits, Rewind, UpgradeError, Upgraded};
use http::{HeaderMap, Response};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;
use support::http_text::{REQUEST, status_of};
use support::peer::ScriptedPeer;

const ECHO: &str = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo/1\r\nConnection: upgrade\r\n\r\n";
const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn accept<S: Socket>(stream: S, limits: &Limits) -> Result<Upgraded<S>, UpgradeError> {
    upgrade::receive(stream, limits)?.accept(&["echo/1"], HeaderMap::new())
}

fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

fn read_to_end(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn no_time_outs_are_left_behind() {
    let stream = ScriptedPeer::new(ECHO);
    accept(stream.clone(), &Limits::default()).unwrap();
    let timeouts = stream.timeouts();
    assert_eq!((timeouts.read, timeouts.write), (None, None));
    assert!(stream.calls().timeouts > 0);

    let stream = ScriptedPeer::new(format!("{PLAIN}more"));
    let pending = upgrade::receive(stream.clone(), &Limits::default()).unwrap();
    pending.refuse(&Response::new("")).unwrap();
    assert_eq!(
        (stream.timeouts().read, stream.timeouts().write),
        (None, None)
    );

    // Reading away has a time limit where the request had none.
    let stream = ScriptedPeer::new(format!("{PLAIN}more"));
    let forever = Limits::default().time(Duration::MAX);
    let pending = upgrade::receive(stream.clone(), &forever).unwrap();
    pending.refuse(&Response::new("")).unwrap();
    assert!(stream.calls().timeouts > 0);
    assert_eq!(stream.timeouts().read, None);
}

#[test]
fn time_outs_are_not_touched_without_a_time_limit() {
    let stream = ScriptedPeer::new(ECHO);
    accept(stream.clone(), &Limits::default().time(Duration::MAX)).unwrap();
    assert_eq!(stream.calls().timeouts, 0);
}

#[test]
fn acceptor_works_with_sockets_and_is_shared_by_threads() {
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let acceptor = Acceptor::new();
    is_shared(&acceptor);
    let (mut client, server) = tcp();
    client.write_all(REQUEST.as_bytes()).unwrap();
    let established = acceptor.accept(server).unwrap();
    assert_eq!(established.get_ref().read_timeout().unwrap(), None);
    assert_eq!(established.get_ref().write_timeout().unwrap(), None);
    drop(established);
    assert_eq!(status_of(&read_to_end(client)), 101);
}

#[test]
fn rewind_gives_back_what_was_not_read() {
    let mut rewind = Rewind::new(ScriptedPeer::new("world"), b"hello ".to_vec());
    let mut buf = [0; 4];
    assert_eq!(rewind.read(&mut buf).unwrap(), 4);
    assert_eq!(rewind.leftover(), b"o ");
    let (stream, leftover) = rewind.clone().into_parts();
    assert_eq!(
        (leftover.as_slice(), !stream.has_more()),
        (&b"o "[..], false)
    );
    // The rest of it alone, without asking a stream that might block.
    assert_eq!(rewind.read(&mut buf).unwrap(), 2);
    assert_eq!(rewind.read(&mut buf).unwrap(), 4);
    assert_eq!(&buf, b"worl");
    assert!(rewind.into_parts().1.is_empty());
}

#[test]
fn rewind_reads_into_nothing_without_losing_anything() {
    let mut rewind = Rewind::new(ScriptedPeer::new(""), b"a".to_vec());
    assert_eq!(rewind.read(&mut []).unwrap(), 0);
    assert_eq!(rewind.leftover(), b"a");
}

#[test]
fn rewind_is_vectored_and_writes_through() {
    let mut rewind = Rewind::new(ScriptedPeer::new("def"), b"abc".to_vec());
    let (mut first, mut second) = ([0; 2], [0; 2]);
    let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
    assert_eq!(rewind.read_vectored(&mut bufs).unwrap(), 3);
    assert_eq!((&first, second[0]), (b"ab", b'c'));
    let mut bufs = [IoSliceMut::new(&mut first)];
    assert_eq!(rewind.read_vectored(&mut bufs).unwrap(), 2);
    rewind.write_all(b"x").unwrap();
    assert_eq!(rewind.write_vectored(&[IoSlice::new(b"y")]).unwrap(), 1);
    rewind.flush().unwrap();
    rewind
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    rewind
        .set_write_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    assert_eq!(rewind.get_ref().written_text(), "xy");
    assert_eq!(
        rewind.get_ref().timeouts().read,
        Some(Duration::from_secs(1))
    );
    assert_eq!(
        rewind.get_ref().timeouts().write,
        Some(Duration::from_secs(2))
    );
}
