//! What all servers do alike: listen, say where, accept, and end.

use std::future::Future;
use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio_rustls::TlsAcceptor;

use crate::{Settings, tls};

/// Listens on a free port of loopback, and says which.
pub(crate) fn listen() -> Result<TcpListener> {
    let listener = rustix::net::socket(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::STREAM,
        None,
    )?;
    rustix::net::bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0)))?;
    rustix::net::listen(&listener, BACKLOG)?;
    let listener = TcpListener::from(listener);
    println!(r#"{{"address":"{}"}}"#, listener.local_addr()?);
    Ok(listener)
}

/// Ends the process when its standard input ends.
pub(crate) fn end_with_stdin() {
    thread::spawn(|| {
        let mut buffer = [0; 64];
        let mut input = io::stdin().lock();
        while input.read(&mut buffer).is_ok_and(|some| some > 0) {}
        std::process::exit(0);
    });
}

/// Lets this process have as many open files as the system allows.
pub(crate) fn allow_files() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let current = maximum.or(Some(1 << 20));
    // Where it fails, a connection too many is refused, which is told then.
    let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
}

/// Serves each connection in a thread of its own.
pub(crate) fn threads(
    serve: impl Fn(TcpStream) -> Result<()> + Clone + Send + 'static,
) -> Result<()> {
    for stream in listen()?.incoming() {
        let Ok(stream) = stream else {
            thread::sleep(PAUSE);
            continue;
        };
        let serve = serve.clone();
        thread::spawn(move || {
            let _ = stream.set_nodelay(true).map(|()| serve(stream));
        });
    }
    Ok(())
}

/// A stream of tokio's, plain or with TLS.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for S {}

/// What serves a connection over tokio. How a connection ends is of no interest.
pub(crate) trait Serve: Clone + Send + Sync + 'static {
    fn serve<S: Io>(self, stream: S) -> impl Future<Output = Result<()>> + Send;
}

/// Serves each connection in a task of its own, all in this thread.
pub(crate) fn tasks(settings: Settings, server: &impl Serve) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = listen()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let tls = settings.tls.then(tls::config).transpose()?;
        let tls = tls.map(TlsAcceptor::from);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            stream.set_nodelay(true)?;
            let server = server.clone();
            match &tls {
                None => drop(tokio::spawn(server.serve(stream))),
                Some(tls) => {
                    let handshake = tls.accept(stream);
                    tokio::spawn(async move { server.serve(handshake.await?).await });
                }
            }
        }
    })
}

/// The writing halves of all connections.
pub(crate) type Room<W> = Rc<Mutex<Vec<W>>>;

/// Serves each connection in a task of its own, without TLS, with what it needs to write to all others.
pub(crate) fn broadcast<W, F>(serve: impl Fn(tokio::net::TcpStream, Room<W>) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = listen()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let room = Room::default();
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            stream.set_nodelay(true)?;
            tokio::task::spawn_local(serve(stream, Rc::clone(&room)));
        }
    })
}

/// Opens connections, each in a thread of its own, and waits until all are closed.
pub(crate) fn client_threads(
    address: SocketAddr,
    count: usize,
    echo: impl Fn(TcpStream) -> Result<()> + Copy + Send + 'static,
) -> Result<()> {
    let mut threads = Vec::new();
    for _ in 0..count {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        threads.push(thread::spawn(move || echo(stream)));
    }
    for thread in threads {
        // How a connection ends is of no interest.
        let _ = thread.join();
    }
    Ok(())
}

/// Opens connections, each in a task of its own, and waits until all are closed.
pub(crate) fn client_tasks<F>(
    address: SocketAddr,
    count: usize,
    echo: impl Fn(tokio::net::TcpStream, SocketAddr) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut tasks = Vec::new();
        for _ in 0..count {
            let stream = tokio::net::TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            tasks.push(tokio::task::spawn_local(echo(stream, address)));
        }
        for task in tasks {
            // How a connection ends is of no interest.
            let _ = task.await;
        }
        Ok(())
    })
}

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long to wait after accepting a connection has failed.
const PAUSE: Duration = Duration::from_millis(20);
