//! A call that is dropped while it waits, by every kind of connection that waits, and whatever is done next: it was
//! taken whole or not at all. Calls that are made again, and those of messages in pieces, are in `faults`; messages
//! that are streamed from a source in `streamed`.

use std::time::Duration;

use framewire::protocol::Role;
use framewire::{Config, Error};
use support::compression::Compression;
use support::connection::{Connection, Endpoint, endpoints, endpoints_with};
use support::frames::{BINARY, CLOSE, CONTINUATION, FIN, PING, frame};
use support::operations::{Again, Hands, Operation, SENDING, SMALL, Sends, sample};
use support::peer::{ScriptedPeer, Taking};
use support::view::View;
use support::wait::{Drops, Threads, in_turns};
use support::{Replay, pattern, peer};

/// What is done after a call that was dropped.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Another call, with a message of this length.
    Call(&'static str, usize),
    /// The same call.
    Again,
    /// A read that finds nothing.
    Read,
    /// A read that finds a Ping, in a message.
    ReadPinged,
    Shutdown,
    /// A read that is dropped in a message, and gone on with by the halves, or by the whole of them.
    SplitOrReunite,
    ByteStream,
    /// A call that is dropped too.
    Dropped(&'static str, usize),
}

impl Then {
    /// Whether it makes no sense once this end has closed.
    fn needs_open(self) -> bool {
        matches!(
            self,
            Self::SplitOrReunite | Self::ByteStream | Self::Dropped(..)
        )
    }
}

/// All of them, and first those that are worth it at each byte.
const THENS: [Then; 18] = [
    Then::Call("flush", 0),
    Then::Read,
    Then::Call("write", 7),
    Then::Call("write", 110),
    Then::Call("feed", 10),
    Then::Call("feed", 110),
    Then::Call("write_prepared", 80),
    Then::Call("ping", 4),
    Then::Call("close", 0),
    Then::Call("stream_message", 45),
    Then::Call("message_writer, in pieces", 45),
    Then::Again,
    Then::ReadPinged,
    Then::Shutdown,
    Then::SplitOrReunite,
    Then::ByteStream,
    Then::Dropped("write", 70),
    Then::Dropped("feed", 70),
];
const MOST_TELLING: usize = 3;
const EVERY: usize = THENS.len();

/// Bytes that are no text, as [`Operation::show`] tells it from other messages.
const NO_TEXT: [u8; 4] = [0xFF; 4];

/// How much the stream moves at once, and how many of the [`THENS`] are tried.
fn ways(end: Endpoint) -> &'static [(usize, usize)] {
    match (end.kind.threads(), end.compression) {
        (Threads::One, Compression::None) => &[(1, MOST_TELLING), (17, EVERY), (0, MOST_TELLING)],
        (Threads::One, _) => &[(40, EVERY)],
        (Threads::Several, Compression::None) => &[(40, MOST_TELLING)],
        (Threads::Several, _) => &[],
    }
}

/// Two that are not short, of the lengths that an operation is tried with.
fn lens(operation: &Operation) -> impl Iterator<Item = usize> {
    let lens = operation.lens.iter().copied().rev();
    let lens = lens.filter(|len| (20..=170).contains(len));
    let has_none = operation.lens == [0];
    lens.take(2).chain(has_none.then_some(0))
}

// The rule, by one call, and the bytes.

#[test]
fn a_message_that_was_dropped_in_its_middle_is_written_to_its_end_before_the_next_frame() {
    let ends = endpoints_with(Compression::None).filter(|end| end.kind.waits());
    for end in ends.filter(|end| end.role == Role::Server) {
        let stream = ScriptedPeer::default().taking(Taking::Room(10));
        let mut connection = end.open(&stream, SMALL).unwrap();
        let dropped = connection.write([7; 60]);
        assert!(dropped.unwrap_err().is_would_block());
        assert_eq!(
            stream.written(),
            *b"\x82\x3C\x07\x07\x07\x07\x07\x07\x07\x07"
        );
        stream.set_taking(Taking::All);
        connection.ping(b"next").unwrap();
        let whole = frame(Role::Server, FIN | BINARY, &[7; 60]);
        let next = frame(Role::Server, FIN | PING, b"next");
        assert_eq!(stream.written(), [whole, next].concat());
    }
}

// Every call at every wait, and whatever is done next.

#[test]
fn a_call_that_was_dropped_was_taken_whole_or_not_at_all() {
    let compressions = [
        Compression::None,
        Compression::Takeover,
        Compression::NoTakeover,
    ];
    let ends = compressions.into_iter().flat_map(endpoints_with);
    for end in ends.filter(|end| end.kind.waits()) {
        let operations = SENDING.iter();
        for operation in operations.filter(|one| one.again == Again::MaybeTwice) {
            for len in lens(operation) {
                for &(at_most, most_thens) in ways(end) {
                    for then in &THENS[..most_thens] {
                        drop_everywhere(end, operation, len, at_most, *then);
                    }
                }
            }
        }
    }
}

/// A message is kept to its end, and nothing is taken before that is sent.
#[test]
fn what_is_kept_of_calls_that_are_dropped_is_bounded() {
    let payload = pattern(200_000);
    let config = Config::default();
    let most = payload.len() + config.write_buffer + config.chunk_size;
    for end in endpoints().filter(|end| end.kind.waits()) {
        let stream = ScriptedPeer::default().taking(Taking::Room(100));
        let mut connection = end.with(&stream);
        for _ in 0..20 {
            let large = connection.write(&payload);
            assert!(large.unwrap_err().is_would_block());
            let small = connection.feed(b"small");
            assert!(small.unwrap_err().is_would_block());
            assert!(connection.buffered() <= most);
        }
        stream.set_taking(Taking::All);
        connection.flush().unwrap();
        let view = View::of(end.role, &end.heard(&stream.written()));
        assert!(view.payloads() == [&payload[..]]);
    }
}

fn drop_everywhere(end: Endpoint, operation: &Operation, len: usize, at_most: usize, then: Then) {
    if operation.sends == Sends::Close && then.needs_open() {
        return;
    }
    for n in 1.. {
        let name = operation.name;
        let how =
            || format!("{name} of {len} by {end:?}, {at_most}, dropped at {n}, then {then:?}");
        let _replay = Replay(how);
        if drop_at(end, operation, len, at_most, n, then) {
            break;
        }
    }
}

/// Drops a call at its n-th wait and goes on. Says whether it was done before.
fn drop_at(
    end: Endpoint,
    operation: &Operation,
    len: usize,
    at_most: usize,
    n: usize,
    then: Then,
) -> bool {
    let stream = ScriptedPeer::default().in_pieces_of(at_most).waiting();
    let mut connection = end.open(&stream, SMALL).unwrap();
    let fed = connection.feed("before");
    fed.unwrap();
    let mut hands = Hands::new(&sample(len), 11);
    let (result, dropped) = in_turns(&stream, Drops::At(n), || {
        operation.call(&mut *connection, &mut hands)
    });
    let was_done = dropped == 0;
    assert_eq!(result.is_ok(), was_done, "{result:?}");

    let mut views = Views(vec![View::default()]);
    views.show(Operation::named("feed"), b"before");
    if was_done {
        views.show(operation, &hands.message);
    } else {
        views.maybe_show(operation, &hands.message);
    }
    let messages = views.0[0].messages[..1].to_vec();
    let result = go_on(
        connection,
        &stream,
        end,
        (operation, &mut hands),
        then,
        &mut views,
    );
    let view = View::of(end.role, &end.heard(&stream.written()));
    if operation.sends == Sends::Close && view.is_closed() {
        // Nothing can follow it.
        assert_eq!(view.messages, messages);
        return was_done;
    }
    result.unwrap();
    assert!(views.0.contains(&view), "{view:?} is none of {:?}", views.0);
    was_done
}

/// What the peer may have to see.
struct Views(Vec<View>);

impl Views {
    fn show(&mut self, operation: &Operation, payload: &[u8]) {
        self.0
            .iter_mut()
            .for_each(|view| operation.show(payload, view));
    }

    fn maybe_show(&mut self, operation: &Operation, payload: &[u8]) {
        let without = self.0.clone();
        self.show(operation, payload);
        self.0.extend(without);
    }
}

/// Goes on until everything has to be out, and notes what the peer has to see.
fn go_on(
    mut connection: Box<dyn Connection>,
    stream: &ScriptedPeer,
    end: Endpoint,
    (operation, hands): (&Operation, &mut Hands),
    then: Then,
    views: &mut Views,
) -> Result<(), Error> {
    match then {
        Then::Call(name, len) => {
            let (next, mut hands) = (Operation::named(name), Hands::new(&pattern(len), 11));
            let result = finish(stream, || next.call(&mut *connection, &mut hands));
            finish(stream, || connection.flush())?;
            result?;
            views.show(next, &hands.message);
        }
        Then::Again => {
            let result = finish(stream, || operation.call(&mut *connection, hands));
            finish(stream, || connection.flush())?;
            result?;
            views.show(operation, &hands.message);
        }
        Then::Read => {
            assert_waits_with_nothing_unsent(stream, &mut *connection);
            return Ok(());
        }
        Then::ReadPinged => {
            stream.say(frame(peer(end.role), BINARY, b"a"));
            read_the_rest(stream, &mut *connection, end)?;
            views.show(Operation::named("pong"), b"?");
        }
        Then::Shutdown => {
            stream.say(frame(peer(end.role), FIN | CLOSE, b"\x03\xE8"));
            stream.end();
            let shutdown = finish(stream, || connection.shutdown(Duration::MAX))?;
            assert!(shutdown.clean);
            let closed = (FIN | CLOSE, b"\x03\xE8".to_vec());
            let views = views.0.iter_mut();
            views.for_each(|view| view.control.push(closed.clone()));
            return Ok(());
        }
        Then::SplitOrReunite => {
            stream.say(frame(peer(end.role), BINARY, b"a"));
            assert_waits_with_nothing_unsent(stream, &mut *connection);
            connection = connection.split_or_reunite();
            read_the_rest(stream, &mut *connection, end)?;
            views.show(Operation::named("pong"), b"?");
            finish(stream, || connection.write(NO_TEXT))?;
            views.show(Operation::named("write"), &NO_TEXT);
        }
        Then::ByteStream => {
            let mut bytes = connection.into_byte_stream();
            finish(stream, || Ok(bytes.write_all(&NO_TEXT)?))?;
            views.show(Operation::named("write"), &NO_TEXT);
            let silence = finish(stream, || Ok(bytes.read(&mut [0; 10])?));
            assert!(silence.is_err(), "it waits, and nothing is unsent");
            return Ok(());
        }
        Then::Dropped(name, len) => {
            let (next, mut hands) = (Operation::named(name), Hands::new(&pattern(len), 11));
            let (_, dropped) = in_turns(stream, Drops::At(3), || {
                next.call(&mut *connection, &mut hands)
            });
            if dropped == 0 {
                views.show(next, &hands.message);
            } else {
                views.maybe_show(next, &hands.message);
            }
        }
    }
    finish(stream, || connection.flush())?;
    assert!(!connection.has_pending_output());
    Ok(())
}

/// Reads a message whose first fragment was said, behind a Ping.
fn read_the_rest(
    stream: &ScriptedPeer,
    connection: &mut dyn Connection,
    end: Endpoint,
) -> Result<(), Error> {
    stream.say(frame(peer(end.role), FIN | PING, b"?"));
    stream.say(frame(peer(end.role), FIN | CONTINUATION, b"b"));
    finish(stream, || {
        assert_eq!(connection.next_message()?.unwrap().payload(), b"ab");
        Ok(())
    })
}

/// Runs calls to their end, which they must come to.
fn finish<T>(stream: &ScriptedPeer, calls: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    in_turns(stream, Drops::Never, calls).0
}

fn assert_waits_with_nothing_unsent(stream: &ScriptedPeer, connection: &mut dyn Connection) {
    let silence = finish(stream, || connection.next_message().map(drop));
    let error = silence.unwrap_err().to_string();
    assert!(error.contains("it waits for ever"), "{error}");
    assert_eq!(connection.buffered(), 0, "it waits with something unsent");
}
