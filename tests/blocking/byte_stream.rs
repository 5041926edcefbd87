//! A connection as a stream of bytes in the hands of the standard library.

use std::io::{self, Read, Write};
use std::thread;

use framewire::CloseCode;
use support::loopback::{connected, tcp};
use support::pattern;

#[test]
fn bytes_are_copied_both_ways_over_tcp() {
    let (server, client) = connected(tcp());
    let bytes = pattern(3_000_000);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut server = server.into_byte_stream();
            let mut received = Vec::new();
            // Until the client has said all, and then everything back.
            (&mut server)
                .take(bytes.len() as u64)
                .read_to_end(&mut received)
                .unwrap();
            io::copy(&mut &received[..], &mut server).unwrap();
            server.flush().unwrap();
            server.get_mut().close(CloseCode::NORMAL, "").unwrap();
            assert!(server.get_mut().next_message().unwrap().is_none());
        });
        let mut client = client.into_byte_stream();
        io::copy(&mut &bytes[..], &mut client).unwrap();
        client.flush().unwrap();
        let mut received = Vec::new();
        io::copy(&mut client, &mut received).unwrap();
        assert!(received == bytes);
    });
}
