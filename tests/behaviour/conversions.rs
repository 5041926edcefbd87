//! What each type is sent as, and what is kept of a message that was received.

use std::borrow::Cow;
use std::io::Cursor;
use std::sync::Arc;

use framewire::bytes::Bytes;
use framewire::frame::Rsv;
use framewire::protocol::{Message, Role};
use framewire::{Config, MessageKind, Opcode, Outgoing, OwnedMessage, Text, ToOutgoing, WebSocket};
use support::frames::{BINARY, FIN, RSV3, TEXT, frame};

/// It is sent as this, from where it lies, and known to be UTF-8 where this is.
#[track_caller]
fn assert_sent(message: &(impl ToOutgoing + ?Sized), at: &[u8], as_this: Outgoing<'_>) {
    let outgoing = message.to_outgoing();
    assert_eq!(outgoing, as_this);
    assert_eq!(outgoing.is_utf8(), as_this.is_utf8());
    assert!(std::ptr::eq(outgoing.payload(), at), "it was copied");
}

#[test]
fn what_is_known_to_be_utf_8_is_sent_as_text() {
    let text = Outgoing::text("w\u{f6}rld");
    assert_eq!(
        (text.opcode(), text.payload()),
        (Opcode::Text, "w\u{f6}rld".as_bytes())
    );
    assert_eq!(text.kind(), MessageKind::new(Opcode::Text));

    let str = "w\u{f6}rld";
    assert_sent(str, str.as_bytes(), text);
    assert_sent(&Cow::Borrowed(str), str.as_bytes(), text);
    assert_sent(&&str, str.as_bytes(), text);
    let string = str.to_owned();
    assert_sent(&string, string.as_bytes(), text);
    assert_sent(&&string, string.as_bytes(), text);
    let boxed: Box<str> = str.into();
    assert_sent(&boxed, boxed.as_bytes(), text);
    let shared: Arc<str> = str.into();
    assert_sent(&shared, shared.as_bytes(), text);
    let owned = Text::from(str);
    assert_sent(&owned, owned.as_bytes(), text);
    let message = OwnedMessage::from(owned);
    assert_sent(&message, message.payload(), text);
    assert_sent(&text.uncompressed(), text.payload(), text.uncompressed());
}

#[test]
fn bytes_are_sent_as_binary() {
    let binary = Outgoing::binary(b"bytes");
    assert_eq!(
        (binary.opcode(), binary.payload()),
        (Opcode::Binary, &b"bytes"[..])
    );
    assert_eq!(binary.kind(), MessageKind::from(Opcode::Binary));

    let array = b"bytes";
    assert_sent(array, array, binary);
    assert_sent(&array[..], array, binary);
    assert_sent(&&array[..], array, binary);
    let vec = array.to_vec();
    assert_sent(&vec, &vec, binary);
    assert_sent(&&vec, &vec, binary);
    let boxed: Box<[u8]> = vec.clone().into();
    assert_sent(&boxed, &boxed, binary);
    let shared: Arc<[u8]> = vec.clone().into();
    assert_sent(&shared, &shared, binary);
    let shared = Arc::new(vec.clone());
    assert_sent(&shared, &shared, binary);
    let bytes = Bytes::from(vec);
    assert_sent(&bytes, &bytes, binary);
    let message = OwnedMessage::from(bytes);
    assert_sent(&message, message.payload(), binary);
}

#[test]
fn a_pair_is_sent_as_its_kind_says_and_a_text_is_checked_then() {
    let checked = Outgoing::new(Opcode::Text, b"text");
    assert!(!checked.is_utf8());
    let text = "text";
    assert_sent(&(Opcode::Text, text), text.as_bytes(), checked);
    let vec = b"text".to_vec();
    assert_sent(&(Opcode::Text, &vec), &vec, checked);
    let binary = Outgoing::binary(b"text");
    assert_sent(&(Opcode::Binary, text), text.as_bytes(), binary);
    let kind = MessageKind::new(Opcode::Binary)
        .rsv(Rsv::RSV2)
        .uncompressed();
    let all = Outgoing::binary(b"text").rsv(Rsv::RSV2).uncompressed();
    assert_eq!((all.kind(), kind.opcode()), (kind, Opcode::Binary));
    assert_sent(&(kind, &vec), &vec, all);
}

/// Has a client receive this, and gives the message to `with`.
fn receive(first: u8, payload: &[u8], with: impl FnOnce(Message<'_>)) {
    let bytes = frame(Role::Server, FIN | first, payload);
    let config = Config::default().rsv(Rsv::RSV3);
    let mut client = WebSocket::client(Cursor::new(bytes), config).unwrap();
    with(client.next_message().unwrap().unwrap());
}

#[test]
fn a_message_that_was_received_is_sent_as_it_came() {
    receive(TEXT, b"text", |mut message| {
        assert_eq!(message.to_outgoing(), Outgoing::text("text"));
        assert!(message.to_outgoing().is_utf8());
        assert!(<&Message<'_>>::to_outgoing(&&message).is_utf8());
        let _ = message.payload_mut();
        assert_eq!(message.to_outgoing(), Outgoing::text("text"));
        assert!(!message.to_outgoing().is_utf8(), "it may have been changed");
        assert!(!<&mut Message<'_>>::to_outgoing(&&mut message).is_utf8());
    });
    receive(BINARY, b"\xFF", |message| {
        assert_eq!(message.to_outgoing(), Outgoing::binary(b"\xFF"));
        assert!(!message.to_outgoing().is_utf8());
    });
    receive(RSV3 | TEXT, b"\xFF", |message| {
        let coded = Outgoing::new(Opcode::Text, b"\xFF").rsv(Rsv::RSV3);
        assert_eq!(message.to_outgoing(), coded);
    });
}

#[test]
fn a_message_that_was_received_is_kept_as_text_where_it_is_some() {
    let text = OwnedMessage::from("w\u{f6}rld");
    receive(TEXT, "w\u{f6}rld".as_bytes(), |mut message| {
        assert_eq!(message.to_owned(), text);
        message.payload_mut()[0] = b'W';
        assert_eq!(message.to_owned(), OwnedMessage::from("W\u{f6}rld"));
        message.payload_mut()[0] = 0xFF;
        let binary = OwnedMessage::from(message.payload());
        assert_eq!(binary.opcode(), Opcode::Binary);
        // What is shown of a text would have to be one.
        assert!(message.to_owned() == binary);
        assert!(OwnedMessage::from(message) == binary);
    });
    receive(TEXT, b"", |message| {
        assert_eq!(OwnedMessage::from(message), OwnedMessage::from(""));
    });
    receive(BINARY, b"text", |message| {
        assert_eq!(message.to_owned(), OwnedMessage::from(b"text".to_vec()));
    });
    // What an extension makes of text is none before it is transformed back.
    receive(RSV3 | TEXT, b"text", |message| {
        assert_eq!(message.to_owned(), OwnedMessage::from(b"text".to_vec()));
    });
}

#[test]
fn an_owned_message_is_made_of_text_and_of_bytes() {
    for text in [
        OwnedMessage::from("text"),
        OwnedMessage::from("text".to_owned()),
        OwnedMessage::from(Text::from("text")),
        OwnedMessage::from(Text::from_static("text")),
        Text::try_from(b"text".to_vec()).unwrap().into(),
    ] {
        assert!(matches!(&text, OwnedMessage::Text(inner) if inner == "text"));
        assert_eq!((text.opcode(), text.text()), (Opcode::Text, Some("text")));
        assert_eq!(text.payload(), b"text");
        assert_eq!(text.into_payload(), &b"text"[..]);
    }
    for binary in [
        OwnedMessage::from(&b"text"[..]),
        OwnedMessage::from(b"text".to_vec()),
        OwnedMessage::from(Bytes::from_static(b"text")),
    ] {
        assert!(matches!(&binary, OwnedMessage::Binary(inner) if inner == "text"));
        assert_eq!((binary.opcode(), binary.text()), (Opcode::Binary, None));
        assert_eq!(binary.payload(), b"text");
        assert_eq!(binary.into_payload(), &b"text"[..]);
    }
    let text = Text::from_static("text");
    let at = text.as_bytes().as_ptr();
    assert_eq!(OwnedMessage::from(text).into_payload().as_ptr(), at);
}
