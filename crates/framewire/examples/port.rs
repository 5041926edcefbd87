//! What corresponds to each exported name of the Go packages `lowbit.dev/websockets` and `lowbit.dev/cooper`.
//!
//! The third column names the function below that shows it. The program runs all of them, each over a connection of its
//! own on loopback or over bytes in memory.
//!
//! `cargo run -p framewire --example port --features deflate,rustls`
//!
//! Everything here blocks. Over tokio the same calls are in `framewire::tokio`; inside a server of hyper or axum, whose
//! place is that of `net/http`, in `framewire::hyper` and `framewire::axum`. Names with an asterisk are those of an
//! earlier version.
//!
//! # `lowbit.dev/websockets`
//!
//! | Go | here | shown by |
//! |---|---|---|
//! | `Conn`, `NewConn`, `NewConnection`* | `WebSocket::server`, `WebSocket::client` | `connections` |
//! | `Conn.AssumeServerRole`, `Conn.AssumeClientRole` | `Role::Server`, `Role::Client`, for `WebSocket::with_leftover`; a role does not change | `connections` |
//! | `Connection` | `WebSocket`, a type that is generic over the stream, not an interface | `connections` |
//! | `MessageReaderWriter` | `Reader` and `Writer`, to which a connection dereferences | `messages` |
//! | `Conn.ReadMessage` | `append_message`, or `next_message` without a copy | `messages` |
//! | `Conn.WriteMessage` | `write`, or `feed` and `flush` for many at once | `messages` |
//! | `Conn.ReadMessageExt` | `Config::rsv` allows the bits, `Message::rsv` returns them | `reserved_bits` |
//! | `Conn.StreamMessageExt` | `stream_message` with `MessageKind::rsv` | `reserved_bits` |
//! | `Conn.StreamMessage` | `stream_message`; to write in pieces `message_writer`; to read in pieces `message_reader` | `streaming` |
//! | `ErrChunkSizeExceeded` | `ErrorKind::ChunkSize` | `streaming` |
//! | `FrameReaderWriter` | `Reader` and `Writer` | `frames` |
//! | `Conn.ReadHeader` | `read_header`, which consumes nothing: any call may read the frame | `frames` |
//! | `Header`, `Header.IsFinal`, `Header.RSV`, `Header.Op` | `Header`: `fin`, `rsv`, `opcode` | `frames` |
//! | `Header.IsMasked`, `Header.MaskKey` | `Header::mask` | `frames` |
//! | `Header.PayloadLen` | `Header::payload_len` | `frames` |
//! | `Conn.ReadFrame` | `read_frame` | `frames` |
//! | `Frame`, `Frame.IsFinal`, `Frame.RSV`, `Frame.Op`, `Frame.Payload` | `Frame`: `header`, `payload` | `frames` |
//! | `ErrFrameBufferTooSmall` | `ErrorKind::FrameBufferTooSmall`, which consumes nothing | `frames` |
//! | `Conn.WriteFrame` | `write_frame` | `frames` |
//! | `OpCode`, `OpCodeContinuation` | `Opcode`, `Opcode::Continuation` | `opcodes` |
//! | `OpCodeText`, `OpCodeBinary` | `Opcode::Text`, `Opcode::Binary` | `opcodes` |
//! | `OpCodeClose`, `OpCodePing`, `OpCodePong` | `Opcode::Close`, `Opcode::Ping`, `Opcode::Pong` | `opcodes` |
//! | `CloseCode` | `CloseCode` | `close_codes` |
//! | `CloseNormalClosure` | `CloseCode::NORMAL` | `close_codes` |
//! | `CloseGoingAway` | `CloseCode::GOING_AWAY` | `close_codes` |
//! | `CloseProtocolError` | `CloseCode::PROTOCOL_ERROR` | `close_codes` |
//! | `CloseUnsupportedData` | `CloseCode::UNSUPPORTED_DATA` | `close_codes` |
//! | `CloseReserved` | no constant: `CloseCode::new` with 1004, which `is_sendable` denies | `close_codes` |
//! | `CloseNoStatusReceived` | `CloseCode::NO_STATUS` | `close_codes` |
//! | `CloseAbnormalClosure` | `CloseCode::ABNORMAL` | `close_codes` |
//! | `CloseInvalidFramePayloadData` | `CloseCode::INVALID_PAYLOAD` | `close_codes` |
//! | `ClosePolicyViolation` | `CloseCode::POLICY_VIOLATION` | `close_codes` |
//! | `CloseMessageTooBig` | `CloseCode::MESSAGE_TOO_BIG` | `close_codes` |
//! | `CloseMandatoryExtension` | `CloseCode::MANDATORY_EXTENSION` | `close_codes` |
//! | `CloseInternalServerError` | `CloseCode::INTERNAL_ERROR` | `close_codes` |
//! | `CloseTLSHandshake` | `CloseCode::TLS_HANDSHAKE` | `close_codes` |
//! | `ReadLimitSmall`, `ReadLimitStandard`, `ReadLimitLarge` | `READ_LIMIT_SMALL`, `READ_LIMIT_STANDARD`, `READ_LIMIT_LARGE`, for `Limits::message` | `sizes` |
//! | `FrameSizeLowMemory`, `ChunkSizeLowMemory`* | `CHUNK_SIZE_LOW_MEMORY`, for `Config::chunk_size` | `sizes` |
//! | `FrameSizeBalanced`, `ChunkSizeBalanced`* | `CHUNK_SIZE_BALANCED` | `sizes` |
//! | `FrameSizeStreaming`, `ChunkSizeStreaming`* | `CHUNK_SIZE_STREAMING` | `sizes` |
//! | `HandlerConfigurator`, `PingHandler`, `Conn.SetPingHandler` | `on_ping`, which returns a `PingReply` and cannot fail | `handlers` |
//! | `PongHandler`, `Conn.SetPongHandler` | `on_pong`, which cannot fail | `handlers` |
//! | `CloseHandler`, `Conn.SetCloseHandler` | `on_close`, which returns a `CloseReply` | `handlers` |
//! | `Conn.Close`, `Conn.CloseWithCode` | `close` sends the Close frame, `shutdown` waits for the peer's, dropping ends the stream | `closing` |
//! | `ErrWebSocketClosed` | a read returns none, a write fails with `ErrorKind::Closed`; `closed` has the codes | `closing` |
//! | `Conn.Context` | no object to wait for: `closed` of any half, and `KeepAliveEnd::Ended`, tell that the connection has ended | `keeping_alive` |
//! | `LifecycleManager`, `Conn.KeepAlive` | `WriteHalf::keep_alive`, whose `run` blocks and waits for the Pongs too; its context is `stop_keep_alive`. Without halves `set_keep_alive` | `keeping_alive` |
//! | `DeadlineManager`, `Conn.SetReadDeadline` | `set_read_timeout` of the `stream`: a duration, not a point in time | `deadlines` |
//! | `Conn.SetWriteDeadline` | `set_write_timeout` | `deadlines` |
//! | `ErrProtocolError` | `ErrorKind::Violation` | `violations` |
//! | `ErrInvalidOpCode` | `Violation::ReservedOpcode`; of a message to send `SendError::NotAMessage` | `violations` |
//! | `ErrControlFramePayloadTooLarge` | `Violation::ControlTooLarge` | `violations` |
//! | `ErrUnmaskedClientFrame`, `ErrMaskedServerFrame` | `Violation::Unmasked`, `Violation::Masked` | `violations` |
//! | `ErrInvalidUTF8` | `Violation::InvalidUtf8`, always checked | `violations` |
//! | `ErrProtocolReservedBits` | `Violation::ReservedBits` | `violations` |
//! | `ErrUnexpectedContinuation`, `ErrExpectedContinuation` | `Violation::UnexpectedContinuation`, `Violation::ExpectedContinuation` | `violations` |
//! | `ErrLimitExceeded`, `ErrMessageTooBig` | `Violation::MessageTooBig`; of all limits on a peer `close_code` is `MESSAGE_TOO_BIG` | `violations` |
//! | `ErrFrameTooLarge` | of a control frame `SendError::ControlTooLarge`; nothing limits the data frames that are sent | `violations` |
//! | `PerMessageDeflateConn`, `WrapDeflate` | `set_extension` with `Deflate::with_level` and `negotiated`, on the connection itself; the handshake agrees on it where there is one | `compression` |
//! | `PerMessageDeflateConn.ReadMessage` | `append_message`, the same as without compression | `compression` |
//! | `PerMessageDeflateConn.WriteMessage` | `write`, the same; `Outgoing::uncompressed` leaves a message as it is | `compression` |
//! | `PerMessageDeflateConn.StreamMessage` | `stream_message`, the same | `compression` |
//! | `PerMessageDeflateConn.Close` | `close`, the same; dropping frees the contexts | `compression` |
//! | `WrapDeflateWithCompressor`, `WrapDeflateWithCompresor`* | `Deflate::with_engine` with an `Engine`, which makes compressors and decompressors | `compressor` |
//! | `Compressor`, `Compressor.Write`, `Compressor.Flush` | `Compressor::compress`, with `Flush::None` and `Flush::Sync` | `compressor` |
//! | `Compressor.Reset`, `Compressor.Close` | `reset`; dropping | `compressor` |
//! | `ErrFailedResetDecompressor` | nothing: a reset cannot fail. Broken data is `Violation::InvalidDeflate` | `compressor` |
//! | `DeflateConnPool`, `NewDeflateConnectionPool` | `Deflate`, whose clones share the pool; `Deflate::with_engine` sets its size | `pools` |
//! | `DeflateConnPool.Acquire`, `DeflateConnPool.Release` | nothing to call: a connection takes a context for each message and gives it back | `pools` |
//! | `ConnPool`, `NewConnPool` | `BufferPool`: the buffers are pooled, not the connections | `pools` |
//! | `ConnPool.Acquire`, `ConnPool.Release` | `set_buffer_pool`; the rest happens by itself | `pools` |
//! | `ConnPool.SetFactory` | nothing: there are no pooled connections to make | |
//! | `TypedPool`, `NewTypedPool`, `TypedPool.Get`, `TypedPool.Put` | nothing: a pool for any type is not this library's | |
//! | `ErrConnectionReleasedToPool` | nothing: a connection that was given away cannot be named any more | |
//! | `Acceptor`, `NewAcceptor`, `Acceptor.Accept` | `Acceptor` and `accept_with` | `accepting` |
//! | `NewAcceptorWithConnPool` | `set_buffer_pool` | `accepting` |
//! | `NewAcceptorWithDeflatePool`, `NewAcceptorWithConnAndDeflatePools` | `Acceptor::deflate` | `accepting` |
//! | `Acceptor.MaxReadLimit`, `Acceptor.MaxFrameSize` | `Limits::message`, `Config::chunk_size` | `accepting` |
//! | `Acceptor.Subprotocols`, `Conn.Subprotocol` | `Acceptor::subprotocols`, `subprotocol` | `accepting` |
//! | `Conn.SetSubprotocol` | `PendingHandshake::set_subprotocol`, before the answer; a connection without a handshake has none | `in_two_steps` |
//! | `Acceptor.AcceptwWithConnFactory` | `Acceptor::receive`, `PendingHandshake::accept`, then `WebSocket::from_established` | `in_two_steps` |
//! | `Acceptor.Release` | nothing to call: dropping gives buffers and contexts back | `accepting` |
//! | `ErrUpgradeFailed` | `UpgradeErrorKind::Method`, 405 | `refusing` |
//! | `ErrMissingKey` | `HandshakeErrorKind::Key`, 400 | `refusing` |
//! | `ErrUnsupportedVersion` | `HandshakeErrorKind::Version`, 426 | `refusing` |
//! | `Dial`, `DialOption` | `connect_with` and `Connector` | `dialing` |
//! | `WithMaxReadLimit`, `WithMaxFrameSize` | `Limits::message`, `Config::chunk_size` | `dialing` |
//! | `WithDeflatePool`, `WithUnPooledDeflate` | `Connector::deflate` with one `Deflate` for all connections, or for each its own | `dialing` |
//! | `WithTLSConfig` | `Dialer::tls` | `dialing_and_upgrading` |
//! | `ErrServerRejectedCompression` | no error: `Established::deflate` is none | `dialing` |
//! | `ErrInvalidAcceptHash` | `HandshakeErrorKind::Accept` | `dialing` |
//!
//! # `lowbit.dev/cooper`
//!
//! | Go | here | shown by |
//! |---|---|---|
//! | `Hijack`, `HijackHandler` | `receive` and `PendingUpgrade::accept`; the handler is what follows, on the same thread | `hijacking` |
//! | `HijackAndReturn` | `receive` and `PendingUpgrade::accept` | `hijacking` |
//! | `HTTPHijacker`*, `NewHTTPHijacker`*, `HTTPHijacker.ServeHTTP`* | `PendingUpgrade::from_parts` takes over from a server that has read the request | `hijacking` |
//! | `HijackConfig`, `BuildHijackConfig`, `Option` | the arguments of `accept` | `hijacking` |
//! | `Protocols` | the first argument of `accept`. It names one protocol at least: a server for any names the one that was asked for | `hijacking` |
//! | `ResponseHeaders` | the second argument of `accept`; headers that depend on the protocol go into the answer of `respond`, which `switch` sends | `hijacking` |
//! | `OnError`, `ErrHandlerPanic` | nothing: each call returns its error, and no handler runs on a thread of this library | |
//! | `UpgradeError`, `UpgradeError.Code`, `UpgradeError.Header` | `UpgradeError`: `status`, `response` | `refusing_upgrades` |
//! | `UpgradeError.Message`, `UpgradeError.Error` | `to_string` | `refusing_upgrades` |
//! | `UpgradeError.Underlying`, `UpgradeError.Unwrap` | `kind` and `cause`; the text includes the cause | `refusing_upgrades` |
//! | `UpgradeError.WriteTo` | `PendingUpgrade::refuse_with`; without I/O `encode_response` | `refusing_upgrades` |
//! | `ErrMissingUpgrade`, `ErrMissingConnection` | `UpgradeErrorKind::NotUpgrade`, 400 | `refusing_upgrades` |
//! | `ErrUnsupportedProtocol` | `UpgradeErrorKind::NotUpgrade`, 426 with the protocols | `refusing_upgrades` |
//! | `ErrNotAHijacker`, `ErrHijackFailed` | nothing: the program has the stream | |
//! | `ErrWriteHandshake`, `ErrFlushHandshake` | `UpgradeErrorKind::Write` | `refusing_upgrades` |
//! | `ErrDrainBuffer` | nothing: bytes that came with the head are in memory, as `Upgraded::leftover`, and `into_rewind` reads them first | `leftover_bytes` |
//! | `Upgrade`, `UpgradeOption`, `ResponseValidator` | `request`, whose last argument is the validator | `upgrading` |
//! | `ErrMissingUpgradeHeader` | `UpgradeErrorKind::InvalidArgument` | `upgrading` |
//! | `ErrSetDeadline`, `ErrSendRequest` | `UpgradeErrorKind::Write`, with the cause | `upgrading` |
//! | `ErrReadResponse` | `UpgradeErrorKind::Read`, `UpgradeErrorKind::Closed`, `UpgradeErrorKind::Malformed`, `UpgradeErrorKind::TimedOut` | `upgrading` |
//! | `ErrUnexpectedStatus` | `UpgradeErrorKind::Refused`, with the `response` and its body | `upgrading` |
//! | `ErrProtocolMismatch` | `UpgradeErrorKind::ProtocolMismatch` | `upgrading` |
//! | `ErrMissingConnectionHeader` | `UpgradeErrorKind::MissingConnection` | `upgrading` |
//! | `ErrResponseValidator` | `UpgradeErrorKind::Vetoed`, or an error of the validator's own type | `upgrading` |
//! | `Dial`, `DialOption` | `Dialer::dial_and_request` | `dialing_and_upgrading` |
//! | `DialContext` | `Limits::time` is the deadline; a future over tokio can be dropped | `dialing_and_upgrading` |
//! | `WithDialer` | `Dialer`; for a stream that is made in another way, `request` | `dialing_and_upgrading` |
//! | `WithTLSConfig` | `Dialer::tls`; the URI's scheme is what asks for TLS | `dialing_and_upgrading` |
//! | `WithUpgradeOptions` | the last argument of `dial_and_request` | `dialing_and_upgrading` |
//! | `WithProtocol` | the request's header `UPGRADE` | `dialing_and_upgrading` |
//! | `ErrProtocolConflict` | nothing: the protocol has one place, the header | |
//! | `ErrNilRequest` | nothing: a request is a value | |
//! | `ErrInvalidHost` | `UpgradeErrorKind::InvalidArgument` | `dialing_and_upgrading` |
//! | `ErrDialFailed` | `UpgradeErrorKind::Dial`; an unknown name and a time-out have kinds of their own | `dialing_and_upgrading` |
//! | `ErrTLSHandshakeFailed` | `UpgradeErrorKind::Tls` | `dialing_and_upgrading` |

use std::error::Error;
use std::io::{self, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use framewire::blocking::{Frame, Reader, WriteHalf, Writer};
use framewire::deflate::{
    Compressor, Decompressor, Deflate, DeflateConfig, Engine, Flush, Parameters, ZlibRs,
};
use framewire::frame::Header;
use framewire::handshake::{Acceptor, Connector, Established, HandshakeErrorKind, check_response};
use framewire::http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use framewire::protocol::{Message, Role, SendError};
use framewire::rustls::{ClientConfig, RootCertStore, crypto::ring};
use framewire::upgrade::{self, Dialer, PendingUpgrade, UpgradeError, UpgradeErrorKind};
use framewire::{
    BufferPool, CHUNK_SIZE_BALANCED, CHUNK_SIZE_LOW_MEMORY, CHUNK_SIZE_STREAMING, CloseCode,
    CloseReply, Config, ErrorKind, KeepAliveEnd, Limits, MessageKind, Opcode, Outgoing, PingReply,
    READ_LIMIT_LARGE, READ_LIMIT_SMALL, READ_LIMIT_STANDARD, Rsv, Untimed, Violation, WebSocket,
};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// A function of the third column, by its name.
type Shown = (&'static str, fn() -> Outcome);

/// The functions that the tables name.
pub(crate) const SHOWN: &[Shown] = &[
    ("connections", connections),
    ("messages", messages),
    ("reserved_bits", reserved_bits),
    ("streaming", streaming),
    ("frames", frames),
    ("opcodes", opcodes),
    ("close_codes", close_codes),
    ("sizes", sizes),
    ("handlers", handlers),
    ("closing", closing),
    ("keeping_alive", keeping_alive),
    ("deadlines", deadlines),
    ("violations", violations),
    ("compression", compression),
    ("compressor", compressor),
    ("pools", pools),
    ("accepting", accepting),
    ("in_two_steps", in_two_steps),
    ("refusing", refusing),
    ("dialing", dialing),
    ("hijacking", hijacking),
    ("refusing_upgrades", refusing_upgrades),
    ("leftover_bytes", leftover_bytes),
    ("upgrading", upgrading),
    ("dialing_and_upgrading", dialing_and_upgrading),
];

fn main() -> Outcome {
    for (name, show) in SHOWN {
        show().map_err(|error| format!("{name}: {error}"))?;
        println!("{name}");
    }
    Ok(())
}

/// `NewConn`, `Conn.AssumeServerRole`, `Conn.AssumeClientRole`, `Connection`.
fn connections() -> Outcome {
    let stream = || Cursor::new(Vec::new());
    let mut server: WebSocket<_> = WebSocket::server(stream(), Config::default())?;
    let mut client = WebSocket::client(stream(), Config::default())?;
    // Either role, with bytes that were read before: "hi" in a frame of a client.
    let read = b"\x81\x82\0\0\0\0hi";
    let mut same = WebSocket::with_leftover(stream(), read, Role::Server, Config::default())?;
    assert_eq!(text(same.next_message()?), "hi");
    WebSocket::with_leftover(stream(), &[], Role::Client, Config::default())?;

    // A server's frame has no mask, and a client's has one.
    server.write("hi")?;
    client.write("hi")?;
    assert_eq!(server.stream().get_ref(), b"\x81\x02hi");
    assert_eq!(client.stream().get_ref()[..2], *b"\x81\x82");
    Ok(())
}

/// `Conn.ReadMessage`, `Conn.WriteMessage`, `MessageReaderWriter`.
fn messages() -> Outcome {
    let (mut server, mut client) = ends()?;
    client.write("text")?;
    client.write(b"bytes")?;
    client.write((Opcode::Text, b"text, which is checked"))?;

    // The opcode comes with the message. What was in the buffer stays in front.
    let mut buffer = b"> ".to_vec();
    let message: Option<Message<'_>> = server.append_message(&mut buffer)?;
    assert_eq!(text(message), "text");
    assert_eq!(buffer, b"> text");
    let lent = server.next_message()?.ok_or("closed")?;
    assert_eq!(
        (lent.opcode(), lent.payload()),
        (Opcode::Binary, &b"bytes"[..])
    );
    server.next_message()?;

    // Many leave with one system call.
    for number in 0..3 {
        server.feed(number.to_string())?;
    }
    server.flush()?;
    for number in 0..3 {
        assert_eq!(text(client.next_message()?), number.to_string());
    }

    let _reading_side: &mut Reader<_> = &mut server;
    let _writing_side: &mut Writer<_> = &mut client;
    Ok(())
}

/// `Conn.ReadMessageExt`, `Conn.StreamMessageExt`.
fn reserved_bits() -> Outcome {
    let config = Config::default().rsv(Rsv::RSV2);
    let (mut server, mut client) = ends_with(config)?;
    let kind = MessageKind::new(Opcode::Binary).rsv(Rsv::RSV2);
    client.stream_message(kind, 4, &b"of an extension"[..])?;
    client.write(Outgoing::binary(b"another").rsv(Rsv::RSV2))?;
    let message: Message<'_> = server.next_message()?.ok_or("closed")?;
    assert_eq!(message.rsv(), Rsv::RSV2);
    assert_eq!(message.payload(), b"of an extension");
    assert_eq!(server.next_message()?.ok_or("closed")?.rsv().bits(), 0x20);
    Ok(())
}

/// `Conn.StreamMessage`, `ErrChunkSizeExceeded`.
fn streaming() -> Outcome {
    let (mut server, mut client) = ends()?;
    // From a reader, in fragments of four bytes; the last one carries FIN.
    let len = client.stream_message(Opcode::Binary, 4, &b"0123456789"[..])?;
    assert_eq!(len, 10);
    assert_eq!(
        server.next_message()?.ok_or("closed")?.payload(),
        b"0123456789"
    );

    // In pieces, at both ends.
    let mut writer = client.message_writer(Opcode::Text)?;
    write!(writer, "piece ")?;
    write!(writer, "by piece")?;
    writer.finish()?;
    let mut read = String::new();
    let mut reader = server.message_reader()?.ok_or("closed")?;
    reader.read_to_string(&mut read)?;
    assert_eq!(read, "piece by piece");

    let too_long = CHUNK_SIZE_LOW_MEMORY + 1;
    let error = client.stream_message(Opcode::Binary, too_long, io::empty());
    let kind = error.err().ok_or("too long a chunk")?.into_kind();
    assert!(matches!(kind, ErrorKind::ChunkSize { requested, .. } if requested == too_long));
    Ok(())
}

/// `Conn.ReadHeader`, `Conn.ReadFrame`, `Conn.WriteFrame`, `ErrFrameBufferTooSmall`.
fn frames() -> Outcome {
    let (mut server, mut client) = ends()?;
    let writer: &mut Writer<_> = &mut client;
    writer.write_frame(false, Rsv::NONE, Opcode::Text, b"in ")?;
    writer.write_frame(true, Rsv::NONE, Opcode::Continuation, b"pieces")?;

    let reader: &mut Reader<_> = &mut server;
    let header: Header = reader.read_header()?.ok_or("closed")?;
    assert_eq!((header.fin(), header.rsv()), (false, Rsv::NONE));
    assert_eq!((header.opcode(), header.payload_len()), (Opcode::Text, 3));
    // `None` would be a frame without a mask.
    assert!(header.mask().is_some());

    let mut buffer = [0; 16];
    let error = reader
        .read_frame(&mut buffer[..2])
        .err()
        .ok_or("too small a buffer")?;
    assert!(matches!(
        error.kind(),
        ErrorKind::FrameBufferTooSmall { needed: 3 }
    ));
    let frame: Frame<'_> = reader.read_frame(&mut buffer)?.ok_or("closed")?;
    assert_eq!(
        (frame.header().fin(), frame.payload()),
        (false, &b"in "[..])
    );
    let frame = reader.read_frame(&mut buffer)?.ok_or("closed")?;
    assert_eq!(
        (frame.header().fin(), frame.payload()),
        (true, &b"pieces"[..])
    );
    Ok(())
}

/// `OpCode` and its constants.
fn opcodes() -> Outcome {
    let opcodes = [
        (Opcode::Continuation, 0),
        (Opcode::Text, 1),
        (Opcode::Binary, 2),
        (Opcode::Close, 8),
        (Opcode::Ping, 9),
        (Opcode::Pong, 10),
    ];
    for (opcode, bits) in opcodes {
        assert_eq!(opcode.bits(), bits);
        assert_eq!(Opcode::from_bits(bits).ok_or("reserved")?, opcode);
    }
    // A reserved one is no `Opcode`.
    assert_eq!(Opcode::from_bits(3), None);
    Ok(())
}

/// `CloseCode` and its constants.
fn close_codes() -> Outcome {
    let codes = [
        (CloseCode::NORMAL, 1000, true),
        (CloseCode::GOING_AWAY, 1001, true),
        (CloseCode::PROTOCOL_ERROR, 1002, true),
        (CloseCode::UNSUPPORTED_DATA, 1003, true),
        (CloseCode::new(1004), 1004, false),
        (CloseCode::NO_STATUS, 1005, false),
        (CloseCode::ABNORMAL, 1006, false),
        (CloseCode::INVALID_PAYLOAD, 1007, true),
        (CloseCode::POLICY_VIOLATION, 1008, true),
        (CloseCode::MESSAGE_TOO_BIG, 1009, true),
        (CloseCode::MANDATORY_EXTENSION, 1010, true),
        (CloseCode::INTERNAL_ERROR, 1011, true),
        (CloseCode::TLS_HANDSHAKE, 1015, false),
    ];
    for (code, number, is_sendable) in codes {
        assert_eq!((code.get(), code.is_sendable()), (number, is_sendable));
        let mut server = WebSocket::server(Cursor::new(Vec::new()), Config::default())?;
        assert_eq!(server.close(code, "").is_ok(), is_sendable);
    }
    Ok(())
}

/// `ReadLimitSmall` and its like, `FrameSizeLowMemory` and its like.
fn sizes() -> Outcome {
    let limits = [READ_LIMIT_SMALL, READ_LIMIT_STANDARD, READ_LIMIT_LARGE];
    assert_eq!(limits, [64 << 10, 1 << 20, 16 << 20]);
    let chunks = [
        CHUNK_SIZE_LOW_MEMORY,
        CHUNK_SIZE_BALANCED,
        CHUNK_SIZE_STREAMING,
    ];
    assert_eq!(chunks, [4 << 10, 8 << 10, 32 << 10]);
    let config = Config::default()
        .limits(Limits::default().message(READ_LIMIT_SMALL))
        .chunk_size(CHUNK_SIZE_BALANCED);
    ends_with(config)?;
    // The defaults.
    let config = Config::default();
    assert_eq!(config.limits.message, READ_LIMIT_STANDARD);
    assert_eq!(config.chunk_size, CHUNK_SIZE_LOW_MEMORY);
    Ok(())
}

/// `Conn.SetPingHandler`, `Conn.SetPongHandler`, `Conn.SetCloseHandler`.
fn handlers() -> Outcome {
    let (mut server, mut client) = ends()?;
    let (seen, heard) = mpsc::channel();
    let log = seen.clone();
    server.on_ping(move |payload| {
        let _ = log.send(format!("ping {}", payload.len()));
        PingReply::Pong
    });
    let log = seen.clone();
    client.on_pong(move |payload| drop(log.send(format!("pong {}", payload.len()))));
    server.on_close(move |code, reason| {
        let _ = seen.send(format!(
            "close {} {reason}",
            code.map_or(1005, CloseCode::get)
        ));
        CloseReply::Echo
    });
    client.ping(b"?")?;
    client.close(CloseCode::GOING_AWAY, "lunch")?;
    assert!(server.next_message()?.is_none());
    assert!(client.next_message()?.is_none());
    let heard: Vec<_> = heard.try_iter().collect();
    assert_eq!(heard, ["ping 1", "close 1001 lunch", "pong 1"]);
    Ok(())
}

/// `Conn.Close`, `Conn.CloseWithCode`, `ErrWebSocketClosed`.
fn closing() -> Outcome {
    let (mut server, mut client) = ends()?;
    client.close(CloseCode::GOING_AWAY, "lunch")?;
    // Reading answers the Close frame and ends.
    assert!(server.next_message()?.is_none());
    let closed = server.closed().ok_or("open")?;
    assert_eq!(
        (closed.code(), closed.reason()),
        (CloseCode::GOING_AWAY, "lunch")
    );
    // Writing fails.
    let error = server.write("too late").err().ok_or("written")?;
    assert!(matches!(error.kind(), ErrorKind::Closed(_)));

    assert!(server.shutdown(PATIENCE)?.clean);
    // Ends the stream, for which a client waits.
    drop(server);
    assert!(client.shutdown(PATIENCE)?.clean);
    Ok(())
}

/// `Conn.KeepAlive`, `Conn.Context`.
fn keeping_alive() -> Outcome {
    let (server, mut client) = ends()?;
    let (mut reading, mut writing): (_, WriteHalf<TcpStream>) = server.split()?;
    let stopper = writing.clone();
    reading.on_pong(move |_| stopper.stop_keep_alive());
    let pinging = thread::spawn(move || {
        let end = writing
            .keep_alive(Duration::from_millis(10), PATIENCE)
            .run();
        writing
            .close(CloseCode::NORMAL, "")
            .map(|()| (end, writing))
    });
    let answering = thread::spawn(move || client.next_message().map(|end| end.is_none()));
    // Receives the Pong, which stops the keep-alive here, and then the peer's Close frame.
    assert!(reading.next_message()?.is_none());
    let (end, writing) = joined(pinging)??;
    assert!(matches!(end, KeepAliveEnd::Stopped));
    assert!(joined(answering)??);

    // What a context tells: the connection has ended.
    assert!(writing.closed().is_some());
    assert!(matches!(
        writing.keep_alive(PATIENCE, PATIENCE).run(),
        KeepAliveEnd::Ended
    ));

    // One thread: the Pings are sent while it reads.
    let (mut server, _client) = ends()?;
    server.set_keep_alive(Duration::from_millis(10), Duration::from_millis(10))?;
    let begun = Instant::now();
    let error = server.next_message().err().ok_or("a message")?;
    assert!(matches!(error.kind(), ErrorKind::NoPong) && begun.elapsed() < PATIENCE);
    Ok(())
}

/// `Conn.SetReadDeadline`, `Conn.SetWriteDeadline`.
fn deadlines() -> Outcome {
    let (mut server, mut client) = ends()?;
    server
        .stream()
        .set_read_timeout(Some(Duration::from_millis(10)))?;
    server.stream().set_write_timeout(Some(PATIENCE))?;
    let error = server.next_message().err().ok_or("a message")?;
    assert!(error.is_would_block());
    // Nothing is lost: the same call goes on.
    server.stream().set_read_timeout(Some(PATIENCE))?;
    client.write("late")?;
    assert_eq!(text(server.next_message()?), "late");
    Ok(())
}

/// The errors of the protocol and of limits.
fn violations() -> Outcome {
    let received: [(&[u8], Violation); 7] = [
        (b"\x83\x80\0\0\0\0", Violation::ReservedOpcode(3)),
        (
            b"\x89\xFE\0\x7E\0\0\0\0",
            Violation::ControlTooLarge(Opcode::Ping),
        ),
        (b"\x81\x02hi", Violation::Unmasked),
        (b"\x81\x81\0\0\0\0\xFF", Violation::InvalidUtf8),
        (b"\xC1\x80\0\0\0\0", Violation::ReservedBits(Rsv::RSV1)),
        (b"\x80\x80\0\0\0\0", Violation::UnexpectedContinuation),
        (
            b"\x82\x83\0\0\0\0abc",
            Violation::MessageTooBig { limit: 2 },
        ),
    ];
    let small = Config::default().limits(Limits::default().message(2));
    for (bytes, expected) in received {
        let mut server = WebSocket::server(Cursor::new(bytes.to_vec()), small)?;
        let error = server.next_message().err().ok_or("a message")?;
        assert_eq!(error.close_code(), Some(expected.close_code()));
        assert!(matches!(error.into_kind(), ErrorKind::Violation(found) if found == expected));
    }
    let limit = Violation::MessageTooBig { limit: 2 };
    assert_eq!(limit.close_code(), CloseCode::MESSAGE_TOO_BIG);

    let begun = b"\x01\x80\0\0\0\0\x81\x80\0\0\0\0".to_vec();
    let mut server = WebSocket::server(Cursor::new(begun), Config::default())?;
    let error = server.next_message().err().ok_or("a message")?;
    let expected = Violation::ExpectedContinuation(Opcode::Text);
    assert!(matches!(error.kind(), ErrorKind::Violation(found) if *found == expected));

    let masked = b"\x81\x82\0\0\0\0hi".to_vec();
    let mut client = WebSocket::client(Cursor::new(masked), Config::default())?;
    let error = client.next_message().err().ok_or("a message")?;
    assert!(matches!(
        error.kind(),
        ErrorKind::Violation(Violation::Masked)
    ));

    // What may not be sent is refused before a byte of it is written.
    let mut server = WebSocket::server(Cursor::new(Vec::new()), Config::default())?;
    let error = server.ping(&[0; 126]).err().ok_or("sent")?;
    let expected = SendError::ControlTooLarge { len: 126 };
    assert!(matches!(error.into_kind(), ErrorKind::Send(found) if found == expected));
    let error = server
        .write((Opcode::Ping, "no message"))
        .err()
        .ok_or("sent")?;
    let expected = SendError::NotAMessage(Opcode::Ping);
    assert!(matches!(error.into_kind(), ErrorKind::Send(found) if found == expected));
    assert!(server.stream().get_ref().is_empty());
    Ok(())
}

/// `WrapDeflate` and the calls of a `PerMessageDeflateConn`: over a stream without a handshake, each message by itself.
fn compression() -> Outcome {
    let (mut server, mut client) = ends()?;
    let parameters = Parameters::new()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true);
    let agreed = Deflate::with_level(6)?.negotiated(parameters);
    server.set_extension(&agreed);
    client.set_extension(&agreed);

    client.write("a".repeat(1000))?;
    let header = server.read_header()?.ok_or("closed")?;
    assert!(header.rsv() == Rsv::RSV1 && header.payload_len() < 100);
    let mut buffer = Vec::new();
    server.append_message(&mut buffer)?;
    assert_eq!(buffer.len(), 1000);

    client.stream_message(Opcode::Binary, 100, io::repeat(b'b').take(1000))?;
    assert_eq!(
        server.next_message()?.ok_or("closed")?.payload(),
        [b'b'; 1000]
    );
    client.write(Outgoing::binary(&[b'c'; 1000]).uncompressed())?;
    assert_eq!(server.read_header()?.ok_or("closed")?.payload_len(), 1000);
    server.next_message()?;
    client.close(CloseCode::NORMAL, "")?;
    assert!(server.next_message()?.is_none());
    Ok(())
}

/// `WrapDeflateWithCompressor`, `Compressor`: another library, here the default one behind a type of the program.
fn compressor() -> Outcome {
    #[derive(Debug)]
    struct Another(ZlibRs);
    impl Engine for Another {
        fn compressor(&self, level: u8, bits: u8, memory_level: u8) -> Box<dyn Compressor> {
            self.0.compressor(level, bits, memory_level)
        }

        fn decompressor(&self, bits: u8) -> Box<dyn Decompressor> {
            self.0.decompressor(bits)
        }
    }

    let (mut server, mut client) = ends()?;
    let deflate = Deflate::with_engine(DeflateConfig::default(), Another(ZlibRs), 4)?;
    let agreed = deflate.negotiated(Parameters::default());
    server.set_extension(&agreed);
    client.set_extension(&agreed);
    client.write("a".repeat(1000))?;
    assert_eq!(text(server.next_message()?).len(), 1000);
    // What is no DEFLATE, in a frame that says so.
    let mut raw = WebSocket::server(
        Cursor::new(b"\xC2\x81\0\0\0\0\xFF".to_vec()),
        Config::default(),
    )?;
    raw.set_extension(&agreed);
    let error = raw.next_message().err().ok_or("a message")?;
    assert!(matches!(
        error.kind(),
        ErrorKind::Violation(Violation::InvalidDeflate)
    ));

    // What such a library has to do.
    let mut compressor = Another(ZlibRs).compressor(6, 15, 8);
    let mut output = [0; 100];
    let taken = compressor.compress(b"some", &mut output, Flush::None)?;
    let flushed = compressor.compress(b" more", &mut output[taken.produced..], Flush::Sync)?;
    assert!(output[..taken.produced + flushed.produced].ends_with(&[0, 0, 0xFF, 0xFF]));
    compressor.reset();
    Ok(())
}

/// `ConnPool`, `DeflateConnPool`.
fn pools() -> Outcome {
    // Buffers for at most two connections are kept; each takes them while bytes arrive or wait.
    let buffers = BufferPool::keeping(2);
    // At most 8 messages are compressed or decompressed at a time.
    let contexts = Deflate::with_engine(DeflateConfig::default(), ZlibRs, 8)?;
    let each_by_itself = Parameters::new()
        .server_no_context_takeover(true)
        .client_no_context_takeover(true);
    for _ in 0..3 {
        let (mut server, mut client) = ends()?;
        server.set_buffer_pool(&buffers);
        server.set_extension(&contexts.negotiated(each_by_itself));
        client.set_extension(&contexts.clone().negotiated(each_by_itself));
        client.write("a".repeat(1000))?;
        assert_eq!(text(server.next_message()?).len(), 1000);
    }
    Ok(())
}

/// `NewAcceptor`, `Acceptor.Accept`, and its fields.
fn accepting() -> Outcome {
    let acceptor = Acceptor::new()
        .subprotocols(["chat.v2", "chat.v1"])?
        .deflate(Deflate::default());
    let config = Config::default()
        .limits(Limits::default().message(READ_LIMIT_SMALL))
        .chunk_size(CHUNK_SIZE_LOW_MEMORY);
    let buffers = BufferPool::keeping(16);
    let (server, client) = both(
        |stream| {
            let mut websocket = framewire::accept_with(stream, &acceptor, config)?;
            websocket.set_buffer_pool(&buffers);
            assert_eq!(websocket.subprotocol(), Some("chat.v1"));
            Ok(text(websocket.next_message()?))
        },
        |address| {
            let connector = Connector::new().subprotocols(["chat.v1"])?;
            let uri = format!("ws://{address}/");
            framewire::connect_with(&uri, &connector, config)?.write("hello")?;
            Ok(())
        },
    )?;
    client?;
    assert_eq!(server?, "hello");
    Ok(())
}

/// `Acceptor.AcceptwWithConnFactory`, `Conn.SetSubprotocol`: the request is examined before it is answered.
fn in_two_steps() -> Outcome {
    let (server, client) = both(
        |stream| {
            let mut pending = Acceptor::new().receive(stream)?;
            assert_eq!(pending.request().uri().path(), "/room");
            pending.set_subprotocol(Some("chat.v1"))?;
            pending.add_header("x-node", "eu-3")?;
            let established = pending.accept()?;
            WebSocket::from_established(established, Config::default())?.write("hello")?;
            Ok(())
        },
        |address| {
            let connector = Connector::new().subprotocols(["chat.v2", "chat.v1"])?;
            let established = connector.connect(&format!("ws://{address}/room"))?;
            assert_eq!(established.subprotocol(), Some("chat.v1"));
            assert_eq!(established.response().headers()["x-node"], "eu-3");
            let mut websocket = WebSocket::from_established(established, Config::default())?;
            Ok(text(websocket.next_message()?))
        },
    )?;
    server?;
    assert_eq!(client?, "hello");
    Ok(())
}

/// `ErrUpgradeFailed`, `ErrMissingKey`, `ErrUnsupportedVersion`.
fn refusing() -> Outcome {
    let acceptor = Acceptor::new();
    let good = || Connector::new().request("ws://a.example/");
    assert!(acceptor.respond(&good()?).is_ok());

    let mut request = good()?;
    *request.method_mut() = framewire::http::Method::POST;
    let error = acceptor.respond(&request).err().ok_or("accepted")?;
    let kind = HandshakeErrorKind::Upgrade(UpgradeErrorKind::Method);
    assert_eq!(
        (error.kind(), error.status()),
        (kind, Some(StatusCode::METHOD_NOT_ALLOWED))
    );

    let mut request = good()?;
    request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
    let error = acceptor.respond(&request).err().ok_or("accepted")?;
    assert_eq!(error.kind(), HandshakeErrorKind::Key);
    assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));

    let mut request = good()?;
    request.headers_mut().remove(header::SEC_WEBSOCKET_VERSION);
    let error = acceptor.respond(&request).err().ok_or("accepted")?;
    assert_eq!(error.kind(), HandshakeErrorKind::Version);
    let refusal = error.response().ok_or("no answer")?;
    assert_eq!(refusal.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(refusal.headers()[header::SEC_WEBSOCKET_VERSION], "13");
    Ok(())
}

/// `Dial` of `websockets`, its options and errors.
fn dialing() -> Outcome {
    let config = Config::default()
        .limits(Limits::default().message(READ_LIMIT_LARGE))
        .chunk_size(CHUNK_SIZE_STREAMING);
    // One policy, whose clones share its pool, for all connections; or `Deflate::with_level` for each.
    let connector = Connector::new()
        .header("authorization", "Bearer secret")?
        .deflate(Deflate::default());
    let (server, client) = both(
        |stream| {
            framewire::accept(stream)?.write("hello")?;
            Ok(())
        },
        |address| {
            let uri = format!("ws://{address}/");
            let mut websocket = framewire::connect_with(&uri, &connector, config)?;
            Ok(text(websocket.next_message()?))
        },
    )?;
    server?;
    assert_eq!(client?, "hello");

    // A server that declines compression is no error, unless the program makes it one.
    let (server, client) = both(
        |stream| Ok(framewire::accept(stream).map(drop)?),
        |address| {
            let established: Established<_> = connector.connect(&format!("ws://{address}/"))?;
            Ok(established.deflate().is_none())
        },
    )?;
    server?;
    assert!(client?);

    let request = connector.request("ws://a.example/")?;
    let mut response = Acceptor::new().respond(&request)?;
    let other = HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    response
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_ACCEPT, other);
    let error = check_response(&request, &response)
        .err()
        .ok_or("accepted")?;
    assert_eq!(error.kind(), HandshakeErrorKind::Accept);
    Ok(())
}

/// `Hijack`, `HijackAndReturn`, their options, and `HTTPHijacker`.
fn hijacking() -> Outcome {
    let limits = upgrade::Limits::default();
    let ask = |address: &str| -> Outcome<String> {
        let request = ask_for("echo/2, echo/1")?;
        let stream = TcpStream::connect(address)?;
        let upgraded = upgrade::request(stream, request, &limits, accept_any)?;
        assert_eq!(upgraded.response().headers()["x-node"], "eu-3");
        Ok(upgraded.protocol().to_owned())
    };

    let (server, client) = both(
        |stream| {
            let pending = upgrade::receive(stream, &limits)?;
            let headers = HeaderMap::from_iter([x_node()]);
            let upgraded = pending.accept(&["echo/1"], headers)?;
            // What a handler does: it owns the stream, which reads the leftover bytes first.
            drop(upgraded.into_rewind());
            Ok(())
        },
        ask,
    )?;
    server?;
    assert_eq!(client?, "echo/1");

    // Headers that depend on the protocol.
    let (server, client) = both(
        |stream| {
            let pending = upgrade::receive(stream, &limits)?;
            let accepted = ["echo/2", "echo/1"];
            let mut response = upgrade::respond(pending.request(), &accepted, HeaderMap::new())?;
            assert_eq!(response.headers()[header::UPGRADE], "echo/2");
            response.headers_mut().extend([x_node()]);
            pending.switch(response)?;
            Ok(())
        },
        ask,
    )?;
    server?;
    assert_eq!(client?, "echo/2");

    // After another server has read the request, and some of what follows it.
    let request = ask_for("echo/1")?;
    let stream = Untimed(Script {
        says: b"",
        takes: true,
    });
    let pending = PendingUpgrade::from_parts(stream, b"early".to_vec(), &request, &limits);
    let upgraded = pending.accept(&["echo/1"], HeaderMap::new())?;
    assert_eq!(upgraded.leftover(), b"early");
    Ok(())
}

/// `UpgradeError` and the errors of `Hijack`.
fn refusing_upgrades() -> Outcome {
    let accepted = ["echo/2", "echo/1"];
    let respond = |request: &Request<()>| upgrade::respond(request, &accepted, HeaderMap::new());

    let mut request = ask_for("echo/1")?;
    request.headers_mut().remove(header::UPGRADE);
    let error: UpgradeError = respond(&request).err().ok_or("accepted")?;
    assert_eq!(error.kind(), UpgradeErrorKind::NotUpgrade);
    assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));

    let mut request = ask_for("echo/1")?;
    request.headers_mut().remove(header::CONNECTION);
    let error = respond(&request).err().ok_or("accepted")?;
    assert_eq!(error.kind(), UpgradeErrorKind::NotUpgrade);
    assert_eq!(error.status(), Some(StatusCode::BAD_REQUEST));

    let error = respond(&ask_for("chess")?).err().ok_or("accepted")?;
    assert_eq!(error.kind(), UpgradeErrorKind::NotUpgrade);
    let refusal = error.response().ok_or("no answer")?;
    assert_eq!(refusal.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(refusal.headers()[header::UPGRADE], "echo/2, echo/1");
    // The text of the error is the body of the answer.
    assert_eq!(refusal.body(), (error.to_string() + "\n").as_bytes());
    assert!(error.cause().is_none());
    assert!(upgrade::encode_response(refusal)?.starts_with(b"HTTP/1.1 426 "));

    // Over a stream: `accept` writes such an answer itself, and `refuse_with` one of the program.
    let limits = upgrade::Limits::default();
    let says =
        b"GET / HTTP/1.1\r\nHost: a.example\r\nUpgrade: chess\r\nConnection: upgrade\r\n\r\n";
    let pending = upgrade::receive(Untimed(Script { says, takes: true }), &limits)?;
    let error = pending
        .refuse_with(UpgradeError::veto("closed today").refusing(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(error.status(), Some(StatusCode::SERVICE_UNAVAILABLE));

    let pending = upgrade::receive(Untimed(Script { says, takes: false }), &limits)?;
    let error = pending
        .accept(&["chess"], HeaderMap::new())
        .err()
        .ok_or("written")?;
    assert_eq!(error.kind(), UpgradeErrorKind::Write);
    assert!(error.cause().is_some());
    Ok(())
}

/// Bytes that came with the head are read first, at both ends.
fn leftover_bytes() -> Outcome {
    let limits = upgrade::Limits::default();
    let says = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo/1\r\nConnection: upgrade\r\n\r\nearly";
    let pending = upgrade::receive(Untimed(Script { says, takes: true }), &limits)?;
    let upgraded = pending.accept(&["echo/1"], HeaderMap::new())?;
    assert_eq!(upgraded.leftover(), b"early");
    let mut read = String::new();
    upgraded.into_rewind().read_to_string(&mut read)?;
    assert_eq!(read, "early");

    let says = b"HTTP/1.1 101 OK\r\nUpgrade: echo/1\r\nConnection: upgrade\r\n\r\nearly";
    let stream = Untimed(Script { says, takes: true });
    let upgraded = upgrade::request(stream, ask_for("echo/1")?, &limits, accept_any)?;
    assert_eq!(upgraded.leftover(), b"early");
    Ok(())
}

/// `Upgrade`, `ResponseValidator`, and their errors.
fn upgrading() -> Outcome {
    let limits = upgrade::Limits::default();
    let ask = |says: &'static [u8], takes: bool| {
        let stream = Untimed(Script { says, takes });
        let request = ask_for("echo/1").map_err(|_| UpgradeErrorKind::InvalidArgument)?;
        let ready = |response: &Response<()>| {
            if response.headers().contains_key("x-node") {
                return Ok(());
            }
            Err(UpgradeError::veto("server has no node"))
        };
        let upgraded = upgrade::request(stream, request, &limits, ready);
        upgraded.map(drop).map_err(|error| error.kind())
    };
    let good = b"HTTP/1.1 101 OK\r\nUpgrade: echo/1\r\nConnection: upgrade\r\nX-Node: eu-3\r\n\r\n";
    assert_eq!(ask(good, true), Ok(()));
    assert_eq!(ask(good, false), Err(UpgradeErrorKind::Write));
    let answers: [(&'static [u8], UpgradeErrorKind); 6] = [
        (b"", UpgradeErrorKind::Closed),
        (b"HTTP/1.1 no status\r\n\r\n", UpgradeErrorKind::Malformed),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", UpgradeErrorKind::Refused),
        (
            b"HTTP/1.1 101 OK\r\nUpgrade: chess\r\nConnection: upgrade\r\n\r\n",
            UpgradeErrorKind::ProtocolMismatch,
        ),
        (
            b"HTTP/1.1 101 OK\r\nUpgrade: echo/1\r\n\r\n",
            UpgradeErrorKind::MissingConnection,
        ),
        (
            b"HTTP/1.1 101 OK\r\nUpgrade: echo/1\r\nConnection: upgrade\r\n\r\n",
            UpgradeErrorKind::Vetoed,
        ),
    ];
    for (says, kind) in answers {
        assert_eq!(ask(says, true), Err(kind));
    }

    // A refusal comes with its body.
    let says = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nlogin";
    let stream = Untimed(Script { says, takes: true });
    let error = upgrade::request(stream, ask_for("echo/1")?, &limits, accept_any);
    let error = error.err().ok_or("accepted")?;
    assert_eq!(error.response().ok_or("no answer")?.body(), b"login");

    // A stream that fails, and one that is silent for too long.
    let silent = |mut stream: TcpStream| Ok(stream.read_to_end(&mut Vec::new())?);
    for (never_waits, limits, kind) in [
        (true, limits, UpgradeErrorKind::Read),
        (
            false,
            limits.time(Duration::from_millis(10)),
            UpgradeErrorKind::TimedOut,
        ),
    ] {
        let (server, client) = both(silent, |address| {
            let stream = TcpStream::connect(address)?;
            stream.set_nonblocking(never_waits)?;
            let error = upgrade::request(stream, ask_for("echo/1")?, &limits, accept_any);
            assert_eq!(error.err().ok_or("accepted")?.kind(), kind);
            Ok(())
        })?;
        client?;
        server?;
    }

    let mut request = ask_for("echo/1")?;
    request.headers_mut().remove(header::UPGRADE);
    let stream = Untimed(Script {
        says: good,
        takes: true,
    });
    let error = upgrade::request(stream, request, &limits, accept_any);
    assert_eq!(
        error.err().ok_or("accepted")?.kind(),
        UpgradeErrorKind::InvalidArgument
    );
    Ok(())
}

/// `Dial` and `DialContext` of `cooper`, their options and errors.
fn dialing_and_upgrading() -> Outcome {
    // One deadline for all of it.
    let limits = upgrade::Limits::default().time(PATIENCE);
    let (server, client) = both(
        |stream| {
            let pending = upgrade::receive(stream, &limits)?;
            pending.accept(&["echo/1"], HeaderMap::new())?;
            Ok(())
        },
        |address| {
            let request = Request::get(format!("http://{address}/"));
            // The protocol.
            let request = request.header(header::UPGRADE, "echo/1").body(())?;
            let upgraded = Dialer::new().dial_and_request(request, &limits, accept_any)?;
            Ok(upgraded.protocol().to_owned())
        },
    )?;
    server?;
    assert_eq!(client?, "echo/1");

    // TLS, to a server that speaks none.
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let dialer = Dialer::new().tls(Arc::new(config));
    let (server, client) = both(
        |mut stream| Ok(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?),
        |address| {
            let request = Request::get(format!("https://{address}/"));
            let request = request.header(header::UPGRADE, "echo/1").body(())?;
            let error = dialer.dial_and_request(request, &limits, accept_any);
            Ok(error.err().ok_or("upgraded")?.kind())
        },
    )?;
    server?;
    assert_eq!(client?, UpgradeErrorKind::Tls);

    // A port at which nobody listens any more, and a URI without a host.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let request = Request::get(format!("http://{address}/")).header(header::UPGRADE, "echo/1");
    let error = Dialer::new().dial_and_request(request.body(())?, &limits, accept_any);
    assert_eq!(
        error.err().ok_or("upgraded")?.kind(),
        UpgradeErrorKind::Dial
    );
    let request = Request::get("/")
        .header(header::UPGRADE, "echo/1")
        .body(())?;
    let error = Dialer::new().dial_and_request(request, &limits, accept_any);
    assert_eq!(
        error.err().ok_or("upgraded")?.kind(),
        UpgradeErrorKind::InvalidArgument
    );
    Ok(())
}

/// Makes a server and a client without a handshake.
fn ends() -> Outcome<(WebSocket<TcpStream>, WebSocket<TcpStream>)> {
    ends_with(Config::default())
}

fn ends_with(config: Config) -> Outcome<(WebSocket<TcpStream>, WebSocket<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    for stream in [&server, &client] {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
    }
    Ok((
        WebSocket::server(server, config)?,
        WebSocket::client(client, config)?,
    ))
}

/// Runs a server, on a thread of its own, and a client that is given its address.
fn both<A: Send, B>(
    server: impl FnOnce(TcpStream) -> Outcome<A> + Send,
    client: impl FnOnce(&str) -> Outcome<B>,
) -> Outcome<(Outcome<A>, Outcome<B>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    thread::scope(|scope| {
        let server = scope.spawn(move || server(listener.accept()?.0));
        let client = client(&address);
        let server = server.join().map_err(|_| "the server panicked")?;
        Ok((server, client))
    })
}

fn joined<T>(thread: thread::JoinHandle<T>) -> Outcome<T> {
    Ok(thread.join().map_err(|_| "a thread panicked")?)
}

fn text(message: Option<Message<'_>>) -> String {
    message.map_or_else(
        || "(closed)".to_owned(),
        |message| message.text().unwrap_or("(binary)").to_owned(),
    )
}

/// Returns a request for one of these protocols.
fn ask_for(protocols: &str) -> Outcome<Request<()>> {
    let request = Request::get("http://a.example/").header(header::UPGRADE, protocols);
    let request = request.header(header::HOST, "a.example");
    Ok(request.header(header::CONNECTION, "upgrade").body(())?)
}

#[expect(clippy::unnecessary_wraps, reason = "a validator may refuse")]
fn accept_any(_: &Response<()>) -> Result<(), UpgradeError> {
    Ok(())
}

fn x_node() -> (header::HeaderName, HeaderValue) {
    (
        header::HeaderName::from_static("x-node"),
        HeaderValue::from_static("eu-3"),
    )
}

/// A stream in memory: what its peer says, and whether it takes what is written.
struct Script {
    says: &'static [u8],
    takes: bool,
}

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.says.read(buf)
    }
}

impl Write for Script {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.takes {
            Ok(buf.len())
        } else {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);
