//! An HTTP/2 client whose streams are `AsyncRead + AsyncWrite`, and requests of HTTP/1.1 as bytes.

pub(crate) mod hyper;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use framewire::Config;
use framewire::handshake::{Connector, check_extended_connect_response};
use framewire::tokio::WebSocket;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn patiently<F: Future>(future: F) -> F::Output {
    let result = tokio::time::timeout(PATIENCE, future).await;
    result.expect("nothing has come of it for half a minute")
}

/// One connection of HTTP/2, of which the server's settings are known.
pub(crate) struct Http2 {
    pub(crate) requests: SendRequest<Bytes>,
    address: SocketAddr,
}

impl Http2 {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut http2 = Self { requests, address };
        // The settings come before the first response.
        let page = Request::get(format!("http://{address}/")).body(()).unwrap();
        http2.ask(page, None).await.unwrap();
        http2
    }

    pub(crate) fn uri(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// A request without a body, unless it gets a stream.
    pub(crate) async fn ask(
        &mut self,
        mut request: Request<()>,
        protocol: Option<&'static str>,
    ) -> Result<(Response<RecvStream>, SendStream<Bytes>), h2::Error> {
        *request.version_mut() = http::Version::HTTP_2;
        let is_connect = request.method() == http::Method::CONNECT;
        if let Some(protocol) = protocol {
            let protocol = Protocol::from_static(protocol);
            request.extensions_mut().insert(protocol);
        }
        let (response, send) = self.requests.send_request(request, !is_connect)?;
        Ok((patiently(response).await?, send))
    }

    pub(crate) async fn status(
        &mut self,
        request: Request<()>,
        protocol: Option<&'static str>,
    ) -> u16 {
        let (response, _) = self.ask(request, protocol).await.unwrap();
        response.status().as_u16()
    }

    /// A connection of ours over a stream of it, and the server's answer.
    pub(crate) async fn websocket(
        &mut self,
        path: &str,
        connector: &Connector,
    ) -> (WebSocket<Http2Stream>, Response<()>) {
        let request = connector.extended_connect_request(&self.uri(path)).unwrap();
        let asked = self.ask(request.clone(), Some("websocket")).await;
        let (response, send) = asked.unwrap();
        let (parts, receive) = response.into_parts();
        let response = Response::from_parts(parts, ());
        check_extended_connect_response(&request, &response).unwrap();
        let stream = Http2Stream {
            send,
            receive,
            received: Bytes::new(),
        };
        let mut websocket = WebSocket::client(stream, Config::default()).unwrap();
        if let Some(negotiated) = connector.negotiated(&response).unwrap() {
            websocket.set_extension(&*negotiated);
        }
        (websocket, response)
    }
}

/// One stream of HTTP/2, its flow control kept.
pub(crate) struct Http2Stream {
    pub(crate) send: SendStream<Bytes>,
    receive: RecvStream,
    received: Bytes,
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.received.is_empty() {
            match ready!(self.receive.poll_data(cx)) {
                Some(data) => self.received = data.map_err(io::Error::other)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = self.received.len().min(buf.remaining());
        buf.put_slice(&self.received[..len]);
        self.received.advance(len);
        let released = self.receive.flow_control().release_capacity(len);
        Poll::Ready(released.map_err(io::Error::other))
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(buf.len());
        while self.send.capacity() == 0 {
            match ready!(self.send.poll_capacity(cx)) {
                Some(capacity) => drop(capacity.map_err(io::Error::other)?),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        let len = self.send.capacity().min(buf.len());
        let data = Bytes::copy_from_slice(&buf[..len]);
        let sent = self.send.send_data(data, false);
        Poll::Ready(sent.map(|()| len).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = self.send.send_data(Bytes::new(), true);
        Poll::Ready(sent.map_err(io::Error::other))
    }
}

/// A request of HTTP/1.1 that is in order, but for lines that are replaced by those that begin alike, or
/// added; one that ends with its colon is left out.
pub(crate) fn request(address: SocketAddr, path: &str, lines: &[&str]) -> String {
    let host = format!("Host: {address}");
    let first = format!("GET {path} HTTP/1.1");
    let mut request = vec![
        first.as_str(),
        &host,
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    ];
    for line in lines {
        let name = |line: &str| line.split([':', ' ']).next().map(str::to_owned);
        match request.iter_mut().find(|old| name(old) == name(line)) {
            Some(old) => *old = line,
            None => request.push(line),
        }
    }
    request.retain(|line| !line.ends_with(':'));
    request.join("\r\n") + "\r\n\r\n"
}

/// What is answered to some bytes: its head, and what came with it.
pub(crate) async fn answer(address: SocketAddr, sent: &[u8]) -> (String, Vec<u8>, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut received = Vec::new();
    loop {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = received.split_off(end + 4);
            return (String::from_utf8(received).unwrap(), rest, stream);
        }
        let read = patiently(stream.read_buf(&mut received)).await.unwrap();
        assert!(read > 0, "{:?}", String::from_utf8_lossy(&received));
    }
}

/// The status of an answer's first line.
pub(crate) fn status(head: &str) -> u16 {
    head[9..12].parse().unwrap()
}

/// The value of a header.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}
