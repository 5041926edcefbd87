//! What the tests of permessage-deflate share.

use framewire::deflate::{Deflate, DeflateConfig, Negotiated, Parameters, ZlibRs};
use framewire::frame::{Violation, os_key};
use framewire::protocol::Encoder;
use framewire::protocol::{Agreement as _, Event, Limits, MessageBuffer, Receiver, Role, Sender};

/// What both ends agreed on: whether contexts are kept, and the window bits each way.
pub fn parameters(takeover: bool, window_bits: u8) -> Parameters {
    Parameters::default()
        .server_no_context_takeover(!takeover)
        .client_no_context_takeover(!takeover)
        .server_max_window_bits(window_bits)
        .client_max_window_bits(window_bits)
}

pub fn negotiated(takeover: bool) -> Negotiated {
    let deflate = Deflate::new(DeflateConfig::default()).unwrap();
    deflate.negotiated(parameters(takeover, 15))
}

/// Without takeover, and so with contexts of a pool of that size.
pub fn pooled(pool_size: usize) -> Negotiated {
    let deflate = Deflate::with_engine(DeflateConfig::default(), ZlibRs, pool_size).unwrap();
    deflate.negotiated(parameters(false, 15))
}

/// A receiving end of this role.
pub struct Receiving {
    pub receiver: Receiver,
    pub buffer: MessageBuffer,
}

impl Receiving {
    pub fn new(role: Role, negotiated: &Negotiated, limits: Limits) -> Self {
        let mut receiver = Receiver::new(role, limits);
        receiver.set_message_decoder(negotiated.decoder(role));
        let buffer = MessageBuffer::new();
        Self { receiver, buffer }
    }

    pub fn client(takeover: bool) -> Self {
        Self::new(Role::Client, &negotiated(takeover), Limits::default())
    }

    /// What comes of these bytes: messages alone.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, Violation> {
        let mut bytes = bytes.to_vec();
        let mut used = 0;
        let mut messages = Vec::new();
        loop {
            let input = &mut bytes[used..];
            let (taken, event) = self.receiver.receive(input, &mut self.buffer)?;
            used += taken;
            match event {
                Some(Event::Message(message)) => messages.push(message.payload().to_vec()),
                Some(_) => {}
                None => return Ok(messages),
            }
        }
    }
}

/// A server's sending end.
pub fn sender(negotiated: &Negotiated) -> Sender {
    sender_of(Role::Server, negotiated)
}

/// A sending end of this role.
pub fn sender_of(role: Role, negotiated: &Negotiated) -> Sender {
    let encoder = match role {
        Role::Server => Encoder::server(),
        Role::Client => Encoder::client(os_key),
    };
    let mut sender = Sender::new(encoder);
    sender.set_message_encoder(negotiated.encoder(role));
    sender
}

/// A binary message as a sending end puts it on the wire.
pub fn sent(sender: &mut Sender, message: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    sender.message(message, &mut output).unwrap();
    output
}
