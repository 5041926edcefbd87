//! The fuzz targets: a function each, which takes any bytes as its input and panics where something is wrong. The
//! programs of `fuzz` call them with inputs that coverage finds, and the test beside this file with those that are
//! kept in `fuzz/corpus` and `fuzz/crashes`.

mod compressed;
pub mod decoders;
pub mod deflate;
pub mod front_end;
pub mod heads;
pub mod inflate;
mod input;
mod ledger;
pub mod negotiate;
pub mod pair;
pub mod proxy;
pub mod request_head;
pub mod response_head;
pub mod session;
pub mod upgrade;
pub mod url;
pub mod zlib;

use compressed::{agreement, receive, receive_in_pieces};
use input::{Input, cut};

/// Tries one input, and panics where something is wrong.
pub type Run = fn(&[u8]);

/// Every target, by its name.
pub const ALL: [(&str, Run); 14] = [
    ("decoders", decoders::run),
    ("deflate", deflate::run),
    ("front_end", front_end::run),
    ("heads", heads::run),
    ("inflate", inflate::run),
    ("negotiate", negotiate::run),
    ("pair", pair::run),
    ("proxy", proxy::run),
    ("request_head", request_head::run),
    ("response_head", response_head::run),
    ("session", session::run),
    ("upgrade", upgrade::run),
    ("url", url::run),
    ("zlib", zlib::run),
];

/// A masking key: any will do where the peer is a function call away, and the same one each time
/// lets an input be run again.
#[expect(clippy::unnecessary_wraps, reason = "there may be no entropy for one")]
fn key() -> Option<[u8; 4]> {
    Some([0x37, 0xFA, 0x21, 0x3D])
}
