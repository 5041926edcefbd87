//! Proxies that work, and some that do not.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::PATIENCE;

/// A proxy that runs as long as the tests do: `talk` answers the client, and gives the connection to
/// the target where there is to be one. What it notes can be read from the receiver.
pub(crate) fn proxy(
    talk: impl Fn(&mut TcpStream, &Sender<String>) -> io::Result<Option<TcpStream>>
    + Clone
    + Send
    + 'static,
) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (note, notes) = channel();
    thread::spawn(move || {
        for client in listener.incoming() {
            let (talk, note) = (talk.clone(), note.clone());
            thread::spawn(move || -> io::Result<()> {
                let mut client = client?;
                client.set_read_timeout(Some(PATIENCE))?;
                if let Some(target) = talk(&mut client, &note)? {
                    relay(&client, &target)?;
                }
                Ok(())
            });
        }
    });
    (address, notes)
}

/// A proxy with CONNECT, to one target whatever it is asked for. Notes the request.
pub(crate) fn http(target: SocketAddr) -> (SocketAddr, Receiver<String>) {
    proxy(move |client, note| {
        // Not every test wants to know.
        let _ = note.send(read_head(client)?);
        let target = TcpStream::connect(target)?;
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        Ok(Some(target))
    })
}

/// A SOCKS5 proxy to one target whatever it is asked for, with a password or without. Notes the
/// request in hexadecimal.
pub(crate) fn socks5(
    target: SocketAddr,
    credentials: Option<(&'static str, &'static str)>,
) -> (SocketAddr, Receiver<String>) {
    proxy(move |client, note| {
        let method = if credentials.is_some() { 2 } else { 0 };
        let [_, count] = read(client)?;
        let mut offered = vec![0; count.into()];
        client.read_exact(&mut offered)?;
        if !offered.contains(&method) {
            client.write_all(&[5, 0xFF])?;
            return Ok(None);
        }
        client.write_all(&[5, method])?;
        if let Some((user, password)) = credentials {
            let [_] = read(client)?;
            let right = read_text(client)? == user && read_text(client)? == password;
            client.write_all(&[1, u8::from(!right)])?;
            if !right {
                return Ok(None);
            }
        }
        let [_, _, _, kind] = read(client)?;
        let host = match kind {
            1 => read::<4>(client)?.to_vec(),
            4 => read::<16>(client)?.to_vec(),
            _ => read_text(client)?.into_bytes(),
        };
        let _port: [u8; 2] = read(client)?;
        let _ = note.send(format!("{kind} {}", host.escape_ascii()));
        let target = TcpStream::connect(target)?;
        client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 80])?;
        Ok(Some(target))
    })
}

/// Reads a head byte by byte, and nothing after it.
pub(crate) fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read::<1>(stream)?);
    }
    Ok(String::from_utf8(head).unwrap())
}

pub(crate) fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_text(stream: &mut TcpStream) -> io::Result<String> {
    let [len] = read(stream)?;
    let mut text = vec![0; len.into()];
    stream.read_exact(&mut text)?;
    Ok(String::from_utf8(text).unwrap())
}

fn relay(client: &TcpStream, target: &TcpStream) -> io::Result<()> {
    let copy = |mut from: &TcpStream, mut to: &TcpStream| -> io::Result<()> {
        io::copy(&mut from, &mut to)?;
        to.shutdown(Shutdown::Write)
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, target));
        copy(target, client)
    })
}
