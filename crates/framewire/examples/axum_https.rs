//! An echo as an axum application over HTTPS: HTTP/2 or HTTP/1.1, whichever a client speaks, with compression.
//!
//! A browser that has loaded the page over HTTP/2 opens its WebSocket connections on the same TCP connection
//! (RFC 8441). In three lines, of which the first makes a certificate to try it with:
//!
//! ```sh
//! openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
//!   -subj /CN=localhost -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE
//! cargo run -p framewire --example axum_https --features axum,http2,deflate,tokio-rustls -- \
//!   127.0.0.1:9001 cert.pem key.pem
//! cargo run --release -- connect wss://localhost:9001/echo --tls-ca cert.pem
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::{env, future, io};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use axum::serve::Listener;
use framewire::axum::{WebSocket, WebSocketUpgrade};
use framewire::deflate::Deflate;
use framewire::handshake::Acceptor;
use framewire::rustls::ServerConfig;
use framewire::rustls::pki_types::pem::PemObject as _;
use framewire::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use http::Version;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, cert, key] = &arguments[..] else {
        return Err("give an address, a certificate and its key".into());
    };
    let chain = CertificateDer::pem_file_iter(cert)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    let listener = TcpListener::bind(address).await?;
    println!("listening on https://{}/", listener.local_addr()?);
    Ok(run(listener, config).await?)
}

pub(crate) async fn run(listener: TcpListener, mut config: ServerConfig) -> io::Result<()> {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let listener = TlsListener {
        listener,
        acceptor: TlsAcceptor::from(Arc::new(config)),
        handshakes: JoinSet::new(),
    };
    // Pages of this origin alone, which is one of https. All connections share the memory that compression takes.
    let acceptor = Acceptor::new().secure(true).extension(Deflate::default());
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        // HTTP/1.1 asks with GET, HTTP/2 with CONNECT.
        .route("/echo", any(upgrade))
        .with_state(acceptor);
    axum::serve(listener, app).await
}

/// Says by the subprotocol, where the client offers that, over which version of HTTP the connection goes.
async fn upgrade(
    version: Version,
    State(acceptor): State<Acceptor>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let protocol = if version == Version::HTTP_2 {
        "h2"
    } else {
        "http1.1"
    };
    upgrade
        .acceptor(acceptor)
        .protocols([protocol])
        .on_upgrade(|websocket| async move {
            if let Err(error) = echo(websocket).await {
                eprintln!("gone: {error}");
            }
        })
}

async fn echo(mut websocket: WebSocket) -> Result<(), framewire::Error> {
    websocket.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
    while let Some((message, writer)) = websocket.next_message_and_writer().await? {
        writer.feed(message).await?;
    }
    // Ends TLS too, which dropping the connection would cut.
    websocket.shutdown(TIME).await.map(drop)
}

/// Accepts connections with TLS. Their handshakes go on side by side, so that a slow client delays no other.
struct TlsListener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<io::Result<Secured>>,
}

type Secured = (TlsStream<TcpStream>, SocketAddr);

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Secured {
        loop {
            let is_full = self.handshakes.len() >= HANDSHAKES;
            let (stream, address) = tokio::select! {
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(secured)) => return secured,
                    // That client has gone, or speaks no TLS.
                    _ => continue,
                },
                // axum's own way to accept goes on after an error, such as too many open files.
                accepted = async {
                    if is_full { future::pending().await } else { Listener::accept(&mut self.listener).await }
                } => accepted,
            };
            let acceptor = self.acceptor.clone();
            self.handshakes.spawn(async move {
                // Small messages leave at once: the socket is out of reach later.
                stream.set_nodelay(true)?;
                Ok((timeout(TIME, acceptor.accept(stream)).await??, address))
            });
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// How many handshakes go on at once; more clients wait to be accepted.
const HANDSHAKES: usize = 256;
const TIME: Duration = Duration::from_secs(10);

const PAGE: &str = r#"<!doctype html>
<title>Echo</title>
<form><input autofocus placeholder="Say something"></form>
<ul></ul>
<script>
  const url = new URL("echo", location);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url, ["h2", "http1.1"]);
  const [form, list] = document.querySelectorAll("form, ul");
  const show = (text) => { list.appendChild(document.createElement("li")).textContent = text; };
  form.onsubmit = () => { socket.send(form[0].value); form.reset(); return false; };
  socket.onopen = () => show(`connected over ${socket.protocol}`);
  socket.onmessage = ({ data }) => show(data);
</script>
"#;
