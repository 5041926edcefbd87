//! `framewire send` and `framewire recv`: files of any size, each as one message, in constant memory.
//!
//! # The protocol
//! Both ends agree on the subprotocol `framewire.files.1`. The sender is the client. Text messages are JSON of at
//! most 4 KiB, with one member that names what is said; members that an end does not know are ignored. For each file:
//!
//! | | message | says |
//! |---|---|---|
//! | sender | `{"file":{"name":"a.bin","size":9}}` | a file comes; `size` is missing where it is not known |
//! | receiver | `{"have":4}` | so many bytes are there, perhaps of this file; it is left out where nothing is |
//! | sender | `{"prefix":"…"}` | the checksum of so many bytes of the file; `null` where it cannot be told |
//! | receiver | `{"from":4}` | the checksums are the same, and the file is to begin there; at 0 where they are not |
//! | sender | a binary message | the file from there to its end |
//! | sender | `{"sha256":"…"}` | the checksum of the whole file |
//! | receiver | `{"done":9}` | the file is there, under its name, and on the disk |
//!
//! Instead of any of these, the receiver may say `{"failed":{"why":"exists","text":"…"}}`, and the next file follows.
//! A receiver that cannot take a file to its end says so at once, and closes the connection. Checksums are SHA-256 in
//! 64 hexadecimal digits; the receiver tells none, as what is there may be nothing that the sender knows. The sender
//! closes the connection with 1000 after the last file.
//!
//! An end that has work to do, such as the checksum of a large part, sends Pings meanwhile: one from which nothing
//! comes for long is taken to be gone.

mod checksum;
mod name;
mod options;
mod part;
mod progress;
mod protocol;
mod recv;
mod send;

pub(crate) use self::options::{RecvOptions, SendOptions};
pub(crate) use self::recv::run as recv;
pub(crate) use self::send::run as send;
