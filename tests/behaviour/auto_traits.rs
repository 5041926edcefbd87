//! What the compiler derives for the types of a connection: the same with compression and without,
//! since a feature adds and never changes.

use std::net::TcpStream;
use std::panic::{RefUnwindSafe, UnwindSafe};

use framewire::WebSocket;
use framewire::protocol::{Receiver, Sender, Session};

const fn has_all_auto_traits<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}

/// Handlers of control frames need not survive a panic.
const fn is_send_sync_and_unpin<T: Send + Sync + Unpin>() {}

const _: () = {
    has_all_auto_traits::<Session>();
    has_all_auto_traits::<Sender>();
    has_all_auto_traits::<Receiver>();
    is_send_sync_and_unpin::<WebSocket<TcpStream>>();
};

const _: () = {
    use framewire::Opcode;
    use framewire::tokio::{ByteStream, ReadHalf, WebSocket, WriteHalf, Writer};
    use tokio::io::DuplexStream;

    const fn is_send<T: Send>(_: &T) {}

    /// Every future can go to another thread.
    #[allow(dead_code, reason = "it compiles")]
    fn futures_are_send(
        mut websocket: WebSocket<DuplexStream>,
        mut reader: ReadHalf<DuplexStream>,
        writer: &mut WriteHalf<DuplexStream>,
    ) {
        is_send(&websocket.next_message());
        is_send(&websocket.next_message_and_writer());
        is_send(&websocket.message_reader());
        is_send(&websocket.write(""));
        is_send(&websocket.feed(""));
        is_send(&websocket.stream_message(Opcode::Text, 1, tokio::io::empty()));
        is_send(&websocket.shutdown(std::time::Duration::MAX));
        is_send(&reader.next_message());
        is_send(&writer.write(""));
        is_send(&writer.message_writer(Opcode::Text));
        is_send(&writer.keep_alive(std::time::Duration::MAX, std::time::Duration::MAX));
    }

    is_send_sync_and_unpin::<WebSocket<DuplexStream>>();
    is_send_sync_and_unpin::<Writer<DuplexStream>>();
    is_send_sync_and_unpin::<ReadHalf<DuplexStream>>();
    is_send_sync_and_unpin::<WriteHalf<DuplexStream>>();
    is_send_sync_and_unpin::<ByteStream<DuplexStream>>();
};

const _: () = {
    use framewire::deflate::{Deflate, Negotiated};
    use framewire::protocol::{Receiver, Sender};
    has_all_auto_traits::<Deflate>();
    has_all_auto_traits::<Negotiated>();
    has_all_auto_traits::<Sender>();
    has_all_auto_traits::<Receiver>();
};
