//! A way to a receiver that counts what passes, and cuts connections.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::programs::{DEADLINE, accept};

/// A proxy, and how many bytes each connection has brought to the receiver.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    passed: Arc<Vec<AtomicU64>>,
}

impl Link {
    /// A way to `target` for as many connections as there are bounds. The connection ends once it has brought so many
    /// bytes to the target.
    pub(crate) fn to(target: SocketAddr, bounds: &[u64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let counts = bounds.iter().map(|_| AtomicU64::new(0)).collect();
        let passed: Arc<Vec<AtomicU64>> = Arc::new(counts);
        let (counts, bounds) = (Arc::clone(&passed), bounds.to_owned());
        thread::spawn(move || {
            for (count, bound) in counts.iter().zip(bounds) {
                let client = accept(&listener);
                let server = TcpStream::connect_timeout(&target, DEADLINE).unwrap();
                for stream in [&client, &server] {
                    stream.set_read_timeout(Some(DEADLINE)).unwrap();
                    stream.set_write_timeout(Some(DEADLINE)).unwrap();
                }
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let answers = thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Both);
                });
                pass(client, server, count, bound);
                answers.join().unwrap();
            }
        });
        Self { address, passed }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// How many bytes a connection has brought to the receiver.
    pub(crate) fn passed(&self, connection: usize) -> u64 {
        self.passed[connection].load(Ordering::Acquire)
    }
}

/// Passes bytes on until `bound`, and then ends both connections.
fn pass(mut client: TcpStream, mut server: TcpStream, count: &AtomicU64, bound: u64) {
    let mut piece = [0; 16 << 10];
    loop {
        let left = bound - count.load(Ordering::Acquire);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        match client.read(&mut piece[..most]) {
            Ok(0) | Err(_) => break,
            Ok(len) => {
                count.fetch_add(len as u64, Ordering::AcqRel);
                if server.write_all(&piece[..len]).is_err() {
                    break;
                }
            }
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}
