//! The table of what corresponds to the Go packages is complete, and each of its rows is shown.

#[path = "../../crates/framewire/examples/port.rs"]
#[allow(dead_code, reason = "its main is for the command line")]
mod example;

const SOURCE: &str = include_str!("../../crates/framewire/examples/port.rs");

#[test]
fn every_function_shows_what_it_says() {
    for (name, show) in example::SHOWN {
        println!("{name}");
        show().unwrap();
    }
}

/// Each name in the second column stands in the function of the third.
#[test]
fn every_row_is_shown_by_its_function() {
    let mut shown = Vec::new();
    for [go, here, by] in rows() {
        let function = match &spans(by)[..] {
            [] => {
                assert!(here.starts_with("nothing: "), "{go}: {here}");
                continue;
            }
            [name] => name.to_owned(),
            more => panic!("{go}: {more:?}"),
        };
        let body = body(&function);
        for path in spans(here) {
            let name = path.rsplit("::").next().unwrap();
            let is_in_it = body
                .split(|symbol: char| !symbol.is_alphanumeric() && symbol != '_')
                .any(|word| word == name);
            assert!(is_in_it, "{go}: {name} is not in {function}");
        }
        shown.push(function);
    }
    for (name, _) in example::SHOWN {
        assert!(shown.iter().any(|shown| shown == name), "no row for {name}");
    }
}

#[test]
fn every_exported_name_has_a_row() {
    let (websockets, cooper) = SOURCE.split_once("# `lowbit.dev/cooper`").unwrap();
    for (package, names) in [(websockets, WEBSOCKETS), (cooper, COOPER)] {
        let rows = table(package);
        let have: Vec<_> = rows.iter().flat_map(|[go, ..]| spans(go)).collect();
        for name in names.split_whitespace() {
            let count = have.iter().filter(|have| *have == name).count();
            assert_eq!(count, 1, "{name}");
        }
        assert_eq!(have.len(), names.split_whitespace().count());
    }
}

fn rows() -> Vec<[&'static str; 3]> {
    table(SOURCE)
}

fn table(text: &str) -> Vec<[&str; 3]> {
    text.lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.strip_suffix('|'))
        .map(|row| {
            let cells: Vec<_> = row.split(" | ").map(str::trim).collect();
            // The first has lost the quotation mark that it begins with.
            cells.try_into().unwrap()
        })
        .collect()
}

/// What is between quotation marks. In the first cell of a row the first mark is missing.
fn spans(cell: &str) -> Vec<String> {
    let is_first_cell = cell.matches('`').count() % 2 == 1;
    let parts = cell.split('`').skip(usize::from(!is_first_cell));
    parts.step_by(2).map(str::to_owned).collect()
}

fn body(function: &str) -> &'static str {
    let start = SOURCE
        .find(&format!("\nfn {function}() -> Outcome {{"))
        .unwrap();
    let end = SOURCE[start..].find("\n}\n").unwrap();
    &SOURCE[start..start + end]
}

const WEBSOCKETS: &str = "
    Acceptor Acceptor.Accept Acceptor.AcceptwWithConnFactory Acceptor.MaxFrameSize Acceptor.MaxReadLimit
    Acceptor.Release Acceptor.Subprotocols
    ChunkSizeBalanced ChunkSizeLowMemory ChunkSizeStreaming
    CloseAbnormalClosure CloseCode CloseGoingAway CloseHandler CloseInternalServerError
    CloseInvalidFramePayloadData CloseMandatoryExtension CloseMessageTooBig CloseNoStatusReceived
    CloseNormalClosure ClosePolicyViolation CloseProtocolError CloseReserved CloseTLSHandshake
    CloseUnsupportedData
    Compressor Compressor.Close Compressor.Flush Compressor.Reset Compressor.Write
    Conn Conn.AssumeClientRole Conn.AssumeServerRole Conn.Close Conn.CloseWithCode Conn.Context Conn.KeepAlive
    Conn.ReadFrame Conn.ReadHeader Conn.ReadMessage Conn.ReadMessageExt Conn.SetCloseHandler
    Conn.SetPingHandler Conn.SetPongHandler Conn.SetReadDeadline Conn.SetSubprotocol Conn.SetWriteDeadline
    Conn.StreamMessage Conn.StreamMessageExt Conn.Subprotocol Conn.WriteFrame Conn.WriteMessage
    ConnPool ConnPool.Acquire ConnPool.Release ConnPool.SetFactory Connection
    DeadlineManager DeflateConnPool DeflateConnPool.Acquire DeflateConnPool.Release Dial DialOption
    ErrChunkSizeExceeded ErrConnectionReleasedToPool ErrControlFramePayloadTooLarge ErrExpectedContinuation
    ErrFailedResetDecompressor ErrFrameBufferTooSmall ErrFrameTooLarge ErrInvalidAcceptHash ErrInvalidOpCode
    ErrInvalidUTF8 ErrLimitExceeded ErrMaskedServerFrame ErrMessageTooBig ErrMissingKey ErrProtocolError
    ErrProtocolReservedBits ErrServerRejectedCompression ErrUnexpectedContinuation ErrUnmaskedClientFrame
    ErrUnsupportedVersion ErrUpgradeFailed ErrWebSocketClosed
    Frame Frame.IsFinal Frame.Op Frame.Payload Frame.RSV FrameReaderWriter
    FrameSizeBalanced FrameSizeLowMemory FrameSizeStreaming
    HandlerConfigurator Header Header.IsFinal Header.IsMasked Header.MaskKey Header.Op Header.PayloadLen
    Header.RSV LifecycleManager MessageReaderWriter
    NewAcceptor NewAcceptorWithConnAndDeflatePools NewAcceptorWithConnPool NewAcceptorWithDeflatePool NewConn
    NewConnPool NewConnection NewDeflateConnectionPool NewTypedPool
    OpCode OpCodeBinary OpCodeClose OpCodeContinuation OpCodePing OpCodePong OpCodeText
    PerMessageDeflateConn PerMessageDeflateConn.Close PerMessageDeflateConn.ReadMessage
    PerMessageDeflateConn.StreamMessage PerMessageDeflateConn.WriteMessage PingHandler PongHandler
    ReadLimitLarge ReadLimitSmall ReadLimitStandard TypedPool TypedPool.Get TypedPool.Put
    WithDeflatePool WithMaxFrameSize WithMaxReadLimit WithTLSConfig WithUnPooledDeflate
    WrapDeflate WrapDeflateWithCompresor WrapDeflateWithCompressor";

const COOPER: &str = "
    BuildHijackConfig Dial DialContext DialOption
    ErrDialFailed ErrDrainBuffer ErrFlushHandshake ErrHandlerPanic ErrHijackFailed ErrInvalidHost
    ErrMissingConnection ErrMissingConnectionHeader ErrMissingUpgrade ErrMissingUpgradeHeader ErrNilRequest
    ErrNotAHijacker ErrProtocolConflict ErrProtocolMismatch ErrReadResponse ErrResponseValidator ErrSendRequest
    ErrSetDeadline ErrTLSHandshakeFailed ErrUnexpectedStatus ErrUnsupportedProtocol ErrWriteHandshake
    HTTPHijacker HTTPHijacker.ServeHTTP Hijack HijackAndReturn HijackConfig HijackHandler NewHTTPHijacker
    OnError Option Protocols ResponseHeaders ResponseValidator
    Upgrade UpgradeError UpgradeError.Code UpgradeError.Error UpgradeError.Header UpgradeError.Message
    UpgradeError.Underlying UpgradeError.Unwrap UpgradeError.WriteTo UpgradeOption
    WithDialer WithProtocol WithTLSConfig WithUpgradeOptions";
