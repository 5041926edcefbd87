//! What all echo servers here have: a listener, and a task or a thread for each connection. Only the code that they are
//! linked with differs: `size` shows what each library costs a program.

use std::io;
use std::net::TcpListener;
use std::thread;

use anyhow::Result;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

/// Serves each connection in a task on one thread.
///
/// # Errors
/// The address is in use, or the system has no more sockets.
pub fn serve<F>(echo: fn(TcpStream) -> F) -> Result<()>
where
    F: Future<Output = Result<()>> + 'static,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async move {
        let listener = tokio::net::TcpListener::bind(ADDRESS).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(echo(stream));
        }
    })
}

/// Serves each connection in a thread.
///
/// # Errors
/// As above.
pub fn serve_blocking(echo: fn(std::net::TcpStream) -> Result<()>) -> io::Result<()> {
    let listener = TcpListener::bind(ADDRESS)?;
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || echo(stream));
    }
}

const ADDRESS: &str = "127.0.0.1:0";
