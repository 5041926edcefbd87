//! What a peer can do to us with a frame, and what happens (DESIGN 6), row by row: the exact
//! violation, the exact Close code on the wire, once, and nothing of the bad frame given.

use framewire::frame::{CloseCode, Rsv, Violation};
use framewire::protocol::{Limits, Role};
use framewire::{Config, Opcode};
use support::compression::Compression;
use support::connection::Kind;
use support::each;
use support::event::End;
use support::frames::{
    BINARY, CLOSE, CONTINUATION, FIN, Frame, KEY, Length, PING, PONG, RSV1, RSV2, RSV3, TEXT,
    close_payload, to, wire,
};
use support::front_end::{self, FrontEnd};
use support::peer::ScriptedPeer;

const BOTH: [Role; 2] = [Role::Server, Role::Client];

/// No limit is in the way, and compression changes nothing.
fn refused(role: Role, bad: &[Frame], violation: Violation, code: u16) {
    for compression in [Compression::None, Compression::Takeover] {
        let limits = Limits::UNLIMITED;
        front_end::assert_refused_with(compression, role, limits, wire(bad), violation, code);
    }
}

/// What all of these say, by hand: the Close frame with its code, and nothing of the frame.
#[test]
fn hostile_frame_that_says_hello_without_a_mask() {
    for kind in each(Kind::ALL) {
        let peer = ScriptedPeer::saying([b"\x81\x05Hello"]);
        let opened = kind.messaging(&peer, Role::Server, Config::default(), None);
        let mut socket = opened.unwrap();
        let error = socket.next_message().unwrap_err();
        assert_eq!(error.to_string(), "unmasked frame from a client");
        let written = peer.written();
        assert_eq!(
            (written[0], &written[2..4]),
            (FIN | CLOSE, &b"\x03\xEA"[..])
        );
    }
}

#[test]
fn hostile_unmasked_frame_to_a_server() {
    for first in [FIN | TEXT, FIN | BINARY, FIN | PING, FIN | CLOSE] {
        let frame = to(Role::Server, first, b"\x03\xE8").with_mask(None);
        refused(Role::Server, &[frame], Violation::Unmasked, 1002);
    }
}

#[test]
fn hostile_masked_frame_to_a_client() {
    for first in [FIN | TEXT, FIN | BINARY, FIN | PONG, FIN | CLOSE] {
        for key in [KEY, [0; 4]] {
            let frame = to(Role::Client, first, b"\x03\xE8").with_mask(Some(key));
            refused(Role::Client, &[frame], Violation::Masked, 1002);
        }
    }
}

#[test]
fn hostile_reserved_bit_that_was_not_negotiated() {
    for role in BOTH {
        for bits in [RSV1, RSV2, RSV3, RSV1 | RSV2 | RSV3] {
            for opcode in [TEXT, BINARY, CLOSE, PING, PONG] {
                let frame = to(role, FIN | bits | opcode, b"\x03\xE8");
                let violation = Violation::ReservedBits(Rsv::from_first_byte(bits));
                // That a message is compressed says the first of them, if that was agreed on.
                if bits == RSV1 && matches!(opcode, TEXT | BINARY) {
                    let limits = Limits::UNLIMITED;
                    front_end::assert_refused(role, limits, frame.bytes(), violation, 1002);
                } else {
                    refused(role, &[frame], violation, 1002);
                }
            }
        }
    }
}

#[test]
fn hostile_reserved_opcode() {
    for role in BOTH {
        for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
            for fin in [0, FIN] {
                let frame = to(role, fin | opcode, b"secret");
                refused(role, &[frame], Violation::ReservedOpcode(opcode), 1002);
            }
        }
    }
}

#[test]
fn hostile_fragmented_control_frame() {
    for role in BOTH {
        for (bits, opcode) in [
            (CLOSE, Opcode::Close),
            (PING, Opcode::Ping),
            (PONG, Opcode::Pong),
        ] {
            let frames = [to(role, bits, b"\x03\xE8"), to(role, FIN, b"secret")];
            refused(role, &frames, Violation::FragmentedControl(opcode), 1002);
        }
    }
}

#[test]
fn hostile_control_frame_of_more_than_125_bytes() {
    for role in BOTH {
        for (bits, opcode) in [
            (CLOSE, Opcode::Close),
            (PING, Opcode::Ping),
            (PONG, Opcode::Pong),
        ] {
            for len in [126, 65535, 65536, 1 << 62] {
                let payload = close_payload(1000, vec![b'x'; 124]);
                let frame = to(role, FIN | bits, payload).with_length(Length::Declared(len));
                refused(role, &[frame], Violation::ControlTooLarge(opcode), 1002);
            }
        }
    }
}

#[test]
fn hostile_length_that_is_not_minimal() {
    for role in BOTH {
        for (len, bits) in [(0, 16), (125, 16), (0, 64), (125, 64), (126, 64), (300, 64)] {
            let frame = to(role, FIN | BINARY, vec![0x5A; len]).with_length(Length::Bits(bits));
            refused(role, &[frame], Violation::NonMinimalLength, 1002);
        }
    }
}

#[test]
fn hostile_length_of_2_to_the_63_or_more() {
    for role in BOTH {
        for len in [1 << 63, u64::MAX] {
            let frame = to(role, FIN | BINARY, b"secret").with_length(Length::Declared(len));
            refused(role, &[frame], Violation::LengthTopBit, 1002);
        }
    }
}

#[test]
fn hostile_stray_continuation() {
    for role in BOTH {
        for fin in [0, FIN] {
            let frame = to(role, fin | CONTINUATION, b"secret");
            refused(role, &[frame], Violation::UnexpectedContinuation, 1002);
        }
    }
}

#[test]
fn hostile_message_inside_a_message() {
    for role in BOTH {
        for (bits, opcode) in [(TEXT, Opcode::Text), (BINARY, Opcode::Binary)] {
            for fin in [0, FIN] {
                let frames = [to(role, TEXT, b""), to(role, fin | bits, b"secret")];
                let violation = Violation::ExpectedContinuation(opcode);
                refused(role, &frames, violation, 1002);
            }
        }
    }
}

#[test]
fn hostile_close_payload_of_one_byte() {
    for role in BOTH {
        let frame = to(role, FIN | CLOSE, b"\x03");
        refused(role, &[frame], Violation::CloseCodeTruncated, 1002);
    }
}

#[test]
fn hostile_close_code_that_is_never_sent() {
    for role in BOTH {
        for code in [
            0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
        ] {
            let frame = to(role, FIN | CLOSE, close_payload(code, "secret"));
            let violation = Violation::CloseCodeInvalid(CloseCode::new(code));
            refused(role, &[frame], violation, 1002);
        }
    }
}

#[test]
fn hostile_close_reason_that_is_not_utf8() {
    for role in BOTH {
        for reason in [
            &b"\xFF"[..],
            b"ok\xC0\x80",
            b"\xED\xA0\x80",
            b"cut off \xE2\x82",
        ] {
            let frame = to(role, FIN | CLOSE, close_payload(1000, reason));
            refused(role, &[frame], Violation::InvalidReason, 1007);
        }
    }
}

#[test]
fn hostile_text_that_is_utf8_only_while_it_is_masked() {
    let frame = to(Role::Server, FIN | TEXT, b"\xC1\xC1").with_mask(Some([0x80; 4]));
    assert!(frame.bytes().ends_with(b"AA"));
    refused(Role::Server, &[frame], Violation::InvalidUtf8, 1007);
}

#[test]
fn hostile_text_that_is_not_utf8_from_its_first_byte() {
    for role in BOTH {
        for text in [
            &b"\x80"[..],
            b"\xC0\x80",
            b"\xF5\x80\x80\x80",
            b"\xFFsecret",
        ] {
            let frame = to(role, FIN | TEXT, text);
            refused(role, &[frame], Violation::InvalidUtf8, 1007);
            let frames = [to(role, TEXT, b""), to(role, FIN, text)];
            refused(role, &frames, Violation::InvalidUtf8, 1007);
        }
    }
}

#[test]
fn hostile_text_is_refused_at_the_bad_byte_and_not_when_its_frame_ends() {
    for role in BOTH {
        // The frame announces 2^40 bytes: waiting for its end would be for ever.
        for text in [
            &b"\xC0"[..],
            b"\xE0\x9F",
            b"\xED\xA0",
            b"\xF0\x8F",
            b"\xF4\x90",
            b"\xF5",
        ] {
            let length = Length::Declared(1 << 40);
            let frame = to(role, FIN | TEXT, text).with_length(length).bytes();
            let script = front_end::Script::new(role, frame);
            for script in [script.clone(), script.byte_by_byte()] {
                front_end::check(&script);
                let end = front_end::WholeSession.run(&script).end;
                assert_eq!(end, End::Violation(Violation::InvalidUtf8));
            }
        }
    }
}

#[test]
fn hostile_text_that_ends_inside_a_character() {
    for role in BOTH {
        for text in [&b"\xC3"[..], b"\xE2\x82", b"\xF0\x9F\x98"] {
            let script = front_end::Script::new(role, to(role, FIN | TEXT, text).bytes());
            for script in [script.clone(), script.byte_by_byte()] {
                front_end::check(&script);
                let end = front_end::WholeSession.run(&script).end;
                assert_eq!(end, End::Violation(Violation::InvalidUtf8));
            }
        }
    }
}

#[test]
fn hostile_frame_over_the_limit_is_refused_by_its_header_alone() {
    let limits = Limits::UNLIMITED.frame(100);
    for role in BOTH {
        for len in [101, 65536, 1 << 62] {
            let frame = to(role, FIN | BINARY, b"").with_length(Length::Declared(len));
            let violation = Violation::FrameTooBig { limit: 100 };
            front_end::assert_refused(role, limits, frame.bytes(), violation, 1009);
        }
    }
}

#[test]
fn hostile_message_over_the_limit_is_refused_by_the_header_that_goes_over() {
    let limits = Limits::UNLIMITED.message(100);
    let violation = Violation::MessageTooBig { limit: 100 };
    for role in BOTH {
        let over = |first, len| {
            to(role, first, b"")
                .with_length(Length::Declared(len))
                .bytes()
        };
        let whole = over(FIN | BINARY, 101);
        let last = [
            to(role, BINARY, [0; 60]).bytes(),
            to(role, 0, [0; 40]).bytes(),
            over(FIN, 1),
        ];
        for bad in [whole, last.concat(), over(BINARY, (1 << 63) - 1)] {
            let script = front_end::Script::new(role, bad).limited(limits);
            for script in [script.clone(), script.byte_by_byte()] {
                // Those that do not hold messages take it: the oracle knows.
                front_end::check(&script);
                for holding in front_end::all().iter().filter(|one| one.holds_messages()) {
                    let outcome = holding.run(&script);
                    assert_eq!(outcome.end, End::Violation(violation), "{}", holding.name());
                }
            }
        }
    }
}
