//! What a `Session` costs in heap, which has no stream and no buffers.

use allocation_counter::measure;
use framewire::frame::os_key;
use framewire::protocol::{Event, Limits, MessageBuffer, Role, Session};
use support::frames::{BINARY, FIN, PING, frame};
use support::{pattern, peer};

use crate::allocations::steadily;

#[test]
fn a_session_allocates_nothing_per_message() {
    for role in [Role::Server, Role::Client] {
        for len in [20, 5_000, 60_000, 1 << 20] {
            let batch = [
                frame(peer(role), FIN | BINARY, &pattern(len)),
                frame(peer(role), FIN | PING, b"?"),
            ]
            .concat();
            let mut session = session(role);
            let mut message = MessageBuffer::new();
            let mut output = Vec::new();
            let mut input = vec![0; 16 << 10];
            let info = steadily(10, || {
                output.clear();
                for piece in batch.chunks(input.len()) {
                    input[..piece.len()].copy_from_slice(piece);
                    echo(
                        &mut session,
                        &mut input[..piece.len()],
                        &mut message,
                        &mut output,
                    );
                }
                assert!(output.len() > len);
            });
            assert_eq!(info.count_total, 0, "{role:?}, {len} bytes: {info:?}");
        }
    }
}

#[test]
fn an_idle_session_is_256_bytes_and_owns_no_heap() {
    assert!(size_of::<Session>() <= 256, "{}", size_of::<Session>());
    let mut input = frame(Role::Client, FIN | BINARY, &pattern(20));
    let mut output = Vec::with_capacity(100);
    let mut capacity = usize::MAX;
    let info = measure(|| {
        let mut session = session(Role::Server);
        let mut message = MessageBuffer::new();
        echo(&mut session, &mut input, &mut message, &mut output);
        capacity = message.capacity();
    });
    assert_eq!((info.count_total, capacity), (0, 0));
    assert_eq!(output.len(), 22);
}

fn session(role: Role) -> Session {
    match role {
        Role::Server => Session::server(Limits::default()),
        Role::Client => Session::client(Limits::default(), os_key),
    }
}

fn echo(
    session: &mut Session,
    input: &mut [u8],
    message: &mut MessageBuffer,
    output: &mut Vec<u8>,
) {
    let mut used = 0;
    while used < input.len() {
        let (taken, event) = session.receive(&mut input[used..], message).unwrap();
        used += taken;
        if let Some(Event::Message(message)) = event {
            session.send(message, output).unwrap();
        }
        session.write_reply(output).unwrap();
    }
}
