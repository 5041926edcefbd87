//! What is printed of a connection: its messages, its frames, how it began and ended.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use framewire::frame::{Header, Rsv};
use framewire::{Close, Closed, Opcode, Side};
use serde_json::{Value, json};

use super::options::Options;
use super::screen::Screen;
use super::trace::{Direction, Frame};
use crate::terminal::{self, is_deceptive};

/// Prints text as lines, binary messages as hexadecimal digits or into a file, or all as JSON.
pub(super) struct Report {
    screen: Screen,
    /// Where binary messages go, if they are not printed.
    binary: Option<PathBuf>,
    file: OnceLock<File>,
    format: Format,
    quiet: bool,
    /// Whether compression was offered.
    offers_compression: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Text {
        timestamps: bool,
        /// Whether to escape control characters, which could make a terminal do things.
        escapes: bool,
    },
}

/// What was agreed on in the handshake.
pub(super) struct Agreed {
    pub(super) url: String,
    pub(super) subprotocol: Option<String>,
    /// What the server's Sec-WebSocket-Extensions says, if compression was agreed on.
    pub(super) compression: Option<String>,
}

impl Report {
    pub(super) fn new(screen: Screen, options: &Options) -> Self {
        Self {
            screen,
            binary: options.binary.clone(),
            file: OnceLock::new(),
            format: if options.json {
                Format::Json
            } else {
                Format::Text {
                    timestamps: options.timestamps,
                    escapes: io::stdout().is_terminal(),
                }
            },
            quiet: options.quiet,
            offers_compression: options.reach.deflate.is_some(),
        }
    }

    /// Creates the file for binary messages, if there is to be one and it is not there from an earlier connection.
    pub(super) fn create_file(&self) -> Result<(), String> {
        let Some(path) = self.binary.as_ref().filter(|_| self.file.get().is_none()) else {
            return Ok(());
        };
        let file = File::create(path)
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        let _ = self.file.set(file);
        Ok(())
    }

    pub(super) fn opened(&self, agreed: &Agreed) -> io::Result<()> {
        let Agreed {
            url,
            subprotocol,
            compression,
        } = agreed;
        if self.quiet {
            return Ok(());
        }
        if self.format == Format::Json {
            return self.event(json!({
                "event": "open", "url": url, "subprotocol": subprotocol, "compression": compression,
            }));
        }
        self.note(&format!("connected to {url}"));
        if self.offers_compression && compression.is_none() {
            self.note("the server does not compress");
        }
        if !io::stderr().is_terminal() {
            return Ok(());
        }
        if let Some(name) = subprotocol {
            self.note(&format!("subprotocol {name}"));
        }
        if let Some(parameters) = compression {
            self.note(&format!("compression {parameters}"));
        }
        Ok(())
    }

    pub(super) fn message(&self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        if opcode == Opcode::Binary {
            if let Some(mut file) = self.file.get() {
                file.write_all(payload)?;
                if self.format != Format::Json {
                    return Ok(());
                }
                let length = payload.len();
                return self.event(json!({"event": "message", "type": "binary", "length": length}));
            }
            let digits = hexadecimal(payload);
            if self.format == Format::Json {
                return self.event(json!({"event": "message", "type": "binary", "hex": digits}));
            }
            return self.line(digits.as_bytes());
        }
        let text = String::from_utf8_lossy(payload);
        if self.format == Format::Json {
            return self.event(json!({"event": "message", "type": "text", "text": text}));
        }
        if matches!(self.format, Format::Text { escapes: true, .. }) {
            return self.line(escaped(&text).as_bytes());
        }
        self.line(payload)
    }

    pub(super) fn frame(&self, direction: Direction, frame: &Frame) -> io::Result<()> {
        if self.format == Format::Json {
            return self.event(frame_as_json(direction, frame));
        }
        self.note(&frame_as_text(direction, frame));
        Ok(())
    }

    /// Tells a program how the connection was closed. People learn it from what follows: that it ended well, that it
    /// did not, or that another one is tried.
    pub(super) fn closed(&self, closed: &Closed) -> io::Result<()> {
        if self.quiet || self.format != Format::Json {
            return Ok(());
        }
        self.event(json!({
            "event": "close",
            "by": match closed.by {
                Side::Local => "client",
                Side::Peer => "server",
            },
            "client": closed.local.as_ref().map(close_as_json),
            "server": closed.peer.as_ref().map(close_as_json),
        }))
    }

    /// Tells a program that the connection was lost, or could not be made, and why.
    pub(super) fn lost(&self, why: &str) -> io::Result<()> {
        if self.quiet || self.format != Format::Json {
            return Ok(());
        }
        self.event(json!({"event": "close", "error": why}))
    }

    /// Tells that there will be another connection.
    pub(super) fn again(&self, why: &str, pause: Duration) {
        if !self.quiet {
            self.note(&format!("{why}; again in {pause:.1?}"));
        }
    }

    pub(super) fn ended_well(&self, closed: &Closed) {
        if !self.quiet && self.format != Format::Json {
            self.note(&closed.to_string());
        }
    }

    /// Tells the user something, on standard error.
    pub(super) fn note(&self, line: &str) {
        let time = self.time();
        self.screen.note(format_args!("{time}{line}"));
    }

    fn event(&self, mut event: Value) -> io::Result<()> {
        event["time"] = now().into();
        self.screen.print(terminal::printable(&event).as_bytes())
    }

    fn line(&self, line: &[u8]) -> io::Result<()> {
        let mut timed = self.time().into_bytes();
        timed.extend(line);
        self.screen.print(&timed)
    }

    /// Returns what stands before a line.
    fn time(&self) -> String {
        match self.format {
            Format::Text {
                timestamps: true, ..
            } => now() + " ",
            _ => String::new(),
        }
    }
}

fn close_as_json(close: &Close) -> Value {
    json!({"code": close.code.get(), "reason": close.reason})
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn frame_as_text(direction: Direction, frame: &Frame) -> String {
    let arrow = match direction {
        Direction::In => '<',
        Direction::Out => '>',
    };
    match frame {
        Frame::Data(header) => format!("{arrow} {}", header_as_text(header)),
        Frame::Control(header, payload) => {
            let head = header_as_text(header);
            let payload = payload_as_text(header.opcode(), payload);
            format!("{arrow} {head}{payload}")
        }
        Frame::Illegal(violation) => format!("{arrow} no frame: {violation}"),
    }
}

fn header_as_text(header: &Header) -> String {
    let mut text = format!("{:<12}", name(header.opcode()));
    let fin = if header.fin() { "fin" } else { "" };
    let _ = write!(text, " {fin:<3}");
    for bit in reserved(header) {
        let _ = write!(text, " rsv{bit}");
    }
    let _ = write!(text, " {} bytes", header.payload_len());
    if header.rsv().contains(Rsv::RSV1) {
        text.push_str(" compressed");
    }
    if let Some(key) = header.mask() {
        let _ = write!(text, " mask {}", hexadecimal(&key));
    }
    text
}

/// Returns what a control frame says, in front of it a space.
fn payload_as_text(opcode: Opcode, payload: &[u8]) -> String {
    match (opcode, payload.split_first_chunk()) {
        (Opcode::Close, Some((code, reason))) => {
            let (code, reason) = (u16::from_be_bytes(*code), String::from_utf8_lossy(reason));
            format!(" {code} {reason}").trim_end().to_owned()
        }
        _ if payload.is_empty() => String::new(),
        _ => format!(" {}", hexadecimal(payload)),
    }
}

fn frame_as_json(direction: Direction, frame: &Frame) -> Value {
    let direction = match direction {
        Direction::In => "in",
        Direction::Out => "out",
    };
    let (header, payload) = match frame {
        Frame::Data(header) => (header, None),
        Frame::Control(header, payload) => (header, Some(hexadecimal(payload))),
        Frame::Illegal(violation) => {
            let error = violation.to_string();
            return json!({"event": "frame", "direction": direction, "error": error});
        }
    };
    json!({
        "event": "frame",
        "direction": direction,
        "opcode": name(header.opcode()),
        "fin": header.fin(),
        "rsv": reserved(header).collect::<Vec<_>>(),
        "length": header.payload_len(),
        "mask": header.mask().map(|key| hexadecimal(&key)),
        "hex": payload,
    })
}

/// Returns the numbers of the reserved bits that are set.
fn reserved(header: &Header) -> impl Iterator<Item = u8> {
    let rsv = header.rsv();
    let all = [(1, Rsv::RSV1), (2, Rsv::RSV2), (3, Rsv::RSV3)];
    all.into_iter()
        .filter(move |&(_, bit)| rsv.contains(bit))
        .map(|(number, _)| number)
}

fn name(opcode: Opcode) -> &'static str {
    match opcode {
        Opcode::Continuation => "continuation",
        Opcode::Text => "text",
        Opcode::Binary => "binary",
        Opcode::Close => "close",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Escapes all characters that would not be shown as they are, except line breaks and tabs.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_deceptive(character) && !matches!(character, '\n' | '\t') {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_two_digits_each() {
        assert_eq!(hexadecimal(&[0, 0x0F, 0xA0, 0xFF]), "000fa0ff");
        assert_eq!(hexadecimal(&[]), "");
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(
            escaped("a\x1b[2Jb\u{9b}\u{202e}\n\tü"),
            "a\\u{1b}[2Jb\\u{9b}\\u{202e}\n\tü"
        );
    }

    #[test]
    fn a_frame_is_described_by_all_of_its_header() {
        let header =
            |fin, rsv, opcode, mask, len| Header::new(fin, rsv, opcode, mask, len).unwrap();
        let key = Some([0x37, 0xFA, 0x21, 0x3D]);
        let begun = header(false, Rsv::RSV1, Opcode::Text, key, 70_000);
        let close = header(true, Rsv::NONE, Opcode::Close, None, 5);
        let ping = header(true, Rsv::NONE, Opcode::Ping, None, 1);
        for (direction, frame, expected) in [
            (
                Direction::Out,
                Frame::Data(begun),
                "> text             rsv1 70000 bytes compressed mask 37fa213d",
            ),
            (
                Direction::In,
                Frame::Control(close, b"\x03\xE8bye".to_vec()),
                "< close        fin 5 bytes 1000 bye",
            ),
            (
                Direction::In,
                Frame::Control(ping, vec![1]),
                "< ping         fin 1 bytes 01",
            ),
        ] {
            assert_eq!(frame_as_text(direction, &frame), expected);
        }
        let event = frame_as_json(Direction::Out, &Frame::Data(begun));
        assert_eq!(event["rsv"], json!([1]));
        assert_eq!(event["length"], 70_000);
        assert_eq!(event["mask"], "37fa213d");
    }
}
