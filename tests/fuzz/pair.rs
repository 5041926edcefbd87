//! Two connections that are the ends of one, of any two kinds, with a network between them that the input moves:
//! any operations by both ends in any order, any cut, delay and room, compressed or not. Each message that one
//! end has sent arrives at the other as it was, once and in order; every last Ping is answered; both ends say
//! the same of how the connection was closed; what waits to be written stays bounded.
//!
//! The input: a byte of flags, two for the parameters of compression, for each end a byte for its kind and its
//! stream and three for its sizes, and then steps: a byte for the end and what it does, and what that takes.

mod end;

use framewire::deflate::DeflateConfig;
use framewire::protocol::Role;
use framewire::{Closed, Config, Side};
use support::connection::Kind;
use support::peer::{ScriptedPeer, Taking};

use crate::{Input, agreement};
use end::End;

/// Tries one input.
pub fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let agreed = agreement(DeflateConfig::default().threshold(0), &mut input);
    let agreed = (flags & 1 != 0).then_some(&agreed);
    let ends = [Role::Server, Role::Client].map(|role| {
        let how = input.byte();
        let kind = KINDS[usize::from(how) % KINDS.len()];
        let config = Config::default()
            .chunk_size(usize::from(input.byte()) + 1)
            .read_buffer(usize::from(input.byte()) + 1)
            .write_buffer(usize::from(input.byte()) * 4 + 1)
            .coalesce_writes(how & 0x80 != 0);
        let stream = ScriptedPeer::default();
        let stream = match how >> 5 & 3 {
            0 | 1 => stream,
            2 => stream.with_pauses(),
            _ => stream.in_pieces_of(3),
        };
        let agreed = agreed.map(|agreed| agreed as _);
        let connection = kind.open(&stream, role, config, agreed);
        End::new(kind, config, stream, connection.expect("legal sizes"))
    });
    let mut pair = Pair {
        ends,
        is_cut: false,
    };
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        pair.step(&mut input);
    }
    pair.end();
}

struct Pair {
    ends: [End; 2],
    /// Whether the network was cut off: what was on its way is lost.
    is_cut: bool,
}

impl Pair {
    /// One step: of an end, or of the network towards it.
    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let at = usize::from(what >> 7);
        match what & 0x7F {
            0..32 => {
                self.carry(at, usize::from(input.byte()) + 1);
            }
            32..40 => self.ends[at].stream.set_taking(match input.byte() {
                0 => Taking::Nothing,
                255 => Taking::All,
                room => Taking::Room(room.into()),
            }),
            40 if input.byte() == 0xFF => {
                self.is_cut = true;
                self.ends.iter().for_each(|end| end.stream.end());
            }
            other => self.ends[at].act(other, input),
        }
        self.ends.iter_mut().for_each(End::check_memory);
    }

    /// Brings so many of the bytes that an end has written to the other.
    fn carry(&mut self, from: usize, most: usize) -> bool {
        if self.is_cut {
            return false;
        }
        let sender = &mut self.ends[from];
        let written = sender.stream.take_written();
        sender.on_the_way.extend(written);
        let len = most.min(sender.on_the_way.len());
        let bytes: Vec<_> = sender.on_the_way.drain(..len).collect();
        self.ends[1 - from].stream.say(&bytes);
        len > 0
    }

    /// Has the network carry everything, both ends read all of it and, unless one has, the server close.
    fn end(mut self) {
        for end in &mut self.ends {
            end.stream.set_taking(Taking::All);
            end.finish_message();
        }
        self.settle();
        if !self.is_cut {
            self.check_pongs();
            self.ends[0].close(1000, "");
            self.settle();
        }
        for (from, to) in [(0, 1), (1, 0)] {
            let (sender, receiver) = (&self.ends[from], &self.ends[to]);
            let is_all = sender.sent.check(&receiver.received);
            assert!(is_all || self.is_cut, "a message was lost");
        }
        if !self.is_cut {
            let [server, client] = self.ends.each_mut().map(End::closed_by_both);
            check_agree(&server, &client);
        }
    }

    /// Until nothing happens any more.
    fn settle(&mut self) {
        let mut idle = 0;
        for _ in 0..MOST_ROUNDS {
            let mut moved = false;
            for at in [0, 1] {
                self.ends[at].flush();
                moved |= self.carry(at, usize::MAX);
                let unread = self.ends[at].stream.unread().len();
                self.ends[at].read();
                moved |= self.ends[at].stream.unread().len() < unread;
                self.ends[at].check_memory();
            }
            // A stream that stalls does so with every other call.
            idle = if moved { 0 } else { idle + 1 };
            if idle == 8 {
                return;
            }
        }
        panic!("it goes on for ever");
    }

    /// RFC 6455 5.5.3: the last Ping of each end was answered, unless there is an end to the connection.
    fn check_pongs(&mut self) {
        if self.ends.iter_mut().any(End::is_closed) {
            return;
        }
        for end in &self.ends {
            end.check_last_pong();
        }
    }
}

fn check_agree(server: &Closed, client: &Closed) {
    assert_eq!(server.local, client.peer, "what the server sent");
    assert_eq!(server.peer, client.local, "what the client sent");
    assert!(
        server.by == Side::Local || client.by == Side::Local,
        "neither closed first"
    );
}

/// Those that need no other thread.
const KINDS: [Kind; 6] = [
    Kind::SansIo,
    Kind::EventLoop,
    Kind::Blocking,
    Kind::BlockingHalves,
    Kind::Tokio,
    Kind::TokioHalves,
];
const MOST_STEPS: usize = 300;
const MOST_ROUNDS: usize = 100_000;
