//! The server end: a TCP connection to the target for each WebSocket connection.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use framewire::deflate::DeflateConfig;
use framewire::handshake::Acceptor;
use framewire::rustls::ServerConfig;
use framewire::tokio::handshake::{self, PendingHandshake};
use framewire::tokio::{Stream, WebSocket};
use framewire::upgrade::Limits;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
#[cfg(unix)]
use rustix::io::Errno;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::allow::{AllowList, Denied};
use super::carry::{CONFIG, Patience, SUBPROTOCOL, carry};
use super::listening::accept;
use super::log::Log;
use super::options::Options;
use super::stop::Stop;
use super::target::Target;
use crate::accept::{with_compression, with_origins};
use crate::required::{self, RequiredHeader};
use crate::serve::{LINGER, Slot, Slots};

/// What all tunnels of a server end share.
#[derive(Debug)]
pub(super) struct Exit {
    acceptor: Acceptor,
    tls: Option<Arc<ServerConfig>>,
    required: Vec<RequiredHeader>,
    allowed: AllowList,
    /// How long TLS, the request and connecting to the target may take, each.
    time: Duration,
    patience: Patience,
    /// Dropping the sender ends the handshake.
    slots: Mutex<Slots<oneshot::Sender<()>>>,
    log: Log,
}

impl Exit {
    pub(super) fn new(
        options: &Options,
        allowed: AllowList,
        tls: Option<Arc<ServerConfig>>,
        patience: Patience,
    ) -> Result<Self, String> {
        Ok(Self {
            acceptor: acceptor(options)?,
            tls,
            required: options.server.require_header.clone(),
            allowed,
            time: options.reach.timeout,
            patience,
            slots: Mutex::new(Slots::new(options.max_connections)),
            log: Log::new(options.quiet),
        })
    }

    /// Opens a tunnel for each connection that asks for an allowed target.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener, stop: Stop) {
        loop {
            let (socket, peer) = accept(&listener, self.log).await;
            let (sender, displaced) = oneshot::channel();
            let (slot, oldest) = self.slots().begin(sender);
            drop(oldest);
            let guard = SlotGuard {
                slot,
                exit: Arc::clone(&self),
            };
            tokio::spawn(tunnel(socket, peer, guard, displaced, stop.clone()));
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots<oneshot::Sender<()>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does the TLS handshake if there is a certificate, and reads the request.
    async fn receive(&self, socket: TcpStream) -> Result<PendingHandshake<Stream>, String> {
        let stream = match &self.tls {
            Some(config) => {
                let accepting = TlsAcceptor::from(Arc::clone(config)).accept(socket);
                let secured = timeout(self.time, accepting).await;
                let secured = secured.map_err(|_| format!("no tls within {:?}", self.time))?;
                let stream = secured.map_err(|error| format!("tls handshake failed: {error}"))?;
                Stream::Tls(Box::new(stream.into()))
            }
            None => Stream::Plain(socket),
        };
        let received = handshake::receive(stream, &self.acceptor).await;
        received.map_err(|error| format!("no request: {error}"))
    }

    /// Connects to a target, or says how to refuse the request.
    async fn connect(&self, target: &Target) -> Result<TcpStream, Refusal> {
        match timeout(self.time, target.connect()).await {
            Ok(Ok(tcp)) => Ok(tcp),
            Ok(Err(error)) if is_want_of_files(&error) => Err(Refusal::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many open files".to_owned(),
            )),
            Ok(Err(error)) => Err(Refusal::new(
                StatusCode::BAD_GATEWAY,
                format!("target cannot be reached: {error}"),
            )),
            Err(_) => Err(Refusal::new(
                StatusCode::GATEWAY_TIMEOUT,
                format!("target did not answer within {:?}", self.time),
            )),
        }
    }
}

/// Returns whether the program or the system has as many files open as it may.
fn is_want_of_files(error: &io::Error) -> bool {
    #[cfg(unix)]
    let codes = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error);
    #[cfg(not(unix))]
    let codes = [WSAEMFILE];
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// Returns the acceptor that the options ask for.
fn acceptor(options: &Options) -> Result<Acceptor, String> {
    let limits = Limits::default().time(options.reach.timeout);
    let acceptor = Acceptor::new().limits(limits).subprotocols([SUBPROTOCOL]);
    let acceptor = acceptor.map_err(|error| error.to_string())?;
    let level = options.reach.deflate;
    let config = level.map(|level| DeflateConfig::default().level(level));
    let acceptor = with_compression(acceptor, config, options.max_connections)?;
    let acceptor = options.server.tls.secured(acceptor);
    // Without origins, the list of those that are allowed is empty.
    let origins = with_origins(acceptor, &options.server.allow_origin)?;
    origins.ok_or_else(|| "--allow-origin takes any, same, or a list of URLs".to_owned())
}

/// Takes one connection from its first byte to its end. `displaced` ends it before its request is there.
async fn tunnel(
    socket: TcpStream,
    peer: SocketAddr,
    mut guard: SlotGuard,
    displaced: oneshot::Receiver<()>,
    mut stop: Stop,
) {
    let exit = Arc::clone(&guard.exit);
    let begun = tokio::select! {
        begun = begin(&exit, socket, &mut guard, displaced) => begun,
        () = stop.wait() => return,
    };
    let (websocket, tcp, target) = match begun {
        Ok(begun) => begun,
        Err(why) => return exit.log.line(format_args!("{peer} {why}")),
    };
    exit.log.line(format_args!("{peer} {target}: open"));
    let carried = carry(tcp, websocket, exit.patience, stop).await;
    exit.log.line(format_args!("{peer} {target}: {carried}"));
}

/// Answers the request. Fails with a line for the log where that is a refusal.
async fn begin(
    exit: &Exit,
    socket: TcpStream,
    guard: &mut SlotGuard,
    mut displaced: oneshot::Receiver<()>,
) -> Result<(WebSocket<Stream>, TcpStream, Target), String> {
    let pending = tokio::select! {
        // First whether the request is there: one that is there is answered.
        biased;
        received = exit.receive(socket) => received?,
        // The stream is dropped with the handshake.
        _ = &mut displaced => return Err("no request: later connections took its place".to_owned()),
    };
    if let Some(error) = pending.refusal() {
        let why = format!("handshake: {error}");
        if let Some(response) = error.response().cloned() {
            turn_away(pending, &response, guard, displaced).await;
        }
        return Err(why);
    }
    let (target, tcp) = match reach_target(exit, &pending, guard).await {
        Ok(reached) => reached,
        Err((named, refusal)) => {
            turn_away(pending, &refusal.response(), guard, displaced).await;
            return Err(format!("{named}{refusal}"));
        }
    };
    let accepted = pending.accept().await;
    let accepted = accepted.map_err(|error| format!("handshake: {error}"))?;
    let websocket = WebSocket::from_established(accepted, CONFIG);
    let websocket = websocket.map_err(|error| error.to_string())?;
    Ok((websocket, tcp, target))
}

/// Connects to the target that a request names, if the client may, the target is allowed and there is a slot.
async fn reach_target(
    exit: &Exit,
    pending: &PendingHandshake<Stream>,
    guard: &mut SlotGuard,
) -> Result<(Target, TcpStream), (String, Refusal)> {
    let (headers, query) = (pending.request().headers(), pending.request().uri().query());
    if let Some(header) = required::missing(&exit.required, headers) {
        return Err((String::new(), Refusal::of_missing(header)));
    }
    let target = exit.allowed.choose(query).map_err(Refusal::of_denied)?;
    let named = format!("{target}: ");
    if !guard.open() {
        let full = "too many connections".to_owned();
        return Err((named, Refusal::new(StatusCode::SERVICE_UNAVAILABLE, full)));
    }
    match exit.connect(&target).await {
        Ok(tcp) => Ok((target, tcp)),
        Err(refusal) => Err((named, refusal)),
    }
}

/// Answers with a refusal, and waits until it has come across, unless the slot is needed before.
async fn turn_away<B: AsRef<[u8]>>(
    pending: PendingHandshake<Stream>,
    response: &Response<B>,
    guard: &SlotGuard,
    displaced: oneshot::Receiver<()>,
) {
    let answered = async {
        let mut stream = pending.refuse(response).await.map_err(io::Error::other)?;
        stream.shutdown().await?;
        let mut input = vec![0; 4 << 10];
        while stream.read(&mut input).await? > 0 {}
        io::Result::Ok(())
    };
    let is_handshake = matches!(guard.slot, Slot::Handshake(_));
    tokio::select! {
        // A peer that goes on sending is cut off.
        _ = timeout(LINGER, answered) => {}
        _ = displaced, if is_handshake => {}
    }
}

/// An answer other than 101, with its reason.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    why: String,
    headers: HeaderMap,
}

impl Refusal {
    fn new(status: StatusCode, why: String) -> Self {
        let mut headers = HeaderMap::new();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        Self {
            status,
            why,
            headers,
        }
    }

    fn of_missing(header: &RequiredHeader) -> Self {
        let (parts, why) = header.refusal().into_parts();
        Self {
            status: parts.status,
            why: why.to_owned(),
            headers: parts.headers,
        }
    }

    /// Returns the target as it is logged, and the answer.
    fn of_denied(denied: Denied) -> (String, Self) {
        match denied {
            Denied::Unnamed => {
                let why = "no target is named, as in ?target=HOST:PORT".to_owned();
                (String::new(), Self::new(StatusCode::BAD_REQUEST, why))
            }
            Denied::Malformed(why) => (String::new(), Self::new(StatusCode::BAD_REQUEST, why)),
            Denied::NotAllowed(target) => {
                let why = "target is not allowed".to_owned();
                (format!("{target}: "), Self::new(StatusCode::FORBIDDEN, why))
            }
        }
    }

    fn response(&self) -> Response<String> {
        let mut response = Response::new(format!("{}\n", self.why));
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, text);
        response
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.status, self.why)
    }
}

/// The slot of one connection. Dropping it leaves the slot.
#[derive(Debug)]
struct SlotGuard {
    slot: Slot,
    exit: Arc<Exit>,
}

impl SlotGuard {
    /// Takes a slot for an open connection, if one is free.
    fn open(&mut self) -> bool {
        self.exit.slots().open(&mut self.slot)
    }
}

impl Drop for SlotGuard {
    fn drop(&mut self) {
        self.exit.slots().leave(&self.slot);
    }
}

/// What Windows calls it.
#[cfg(not(unix))]
const WSAEMFILE: i32 = 10024;
