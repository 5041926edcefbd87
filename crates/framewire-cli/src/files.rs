//! `framewire send` and `framewire recv`: files of any size, each as one message, in constant memory.
//!
//! # The protocol
//! Both ends agree on the subprotocol `framewire.files.1`. The sender is the client. Text messages are JSON of at
//! most 4 KiB, with one member that names what is said; members that an end does not know are ignored. For each file:
//!
//! | | message | says |
//! |---|---|---|
//! | sender | `{"file":{"name":"a.bin","size":9}}` | a file comes; `size` is missing where it is not known |
//! | receiver | `{"have":4}` | 4 bytes are stored under that name; left out if none are |
//! | sender | `{"prefix":"…"}` | the checksum of the first 4 bytes of the file; `null` if the sender cannot tell it |
//! | receiver | `{"from":4}` | send the file from byte 4 on: the checksums are the same; from byte 0 if they differ |
//! | sender | a binary message | the file from that byte to its end |
//! | sender | `{"sha256":"…"}` | the checksum of the whole file |
//! | receiver | `{"done":9}` | the file has its name, and its 9 bytes are on the disk |
//!
//! Instead of any of its answers, the receiver may say `{"failed":{"why":"exists","text":"…"}}`, and the next file
//! follows. If a file fails in the middle of its message, the receiver says so at once, and closes the connection. The
//! sender closes the connection with 1000 after the last file.
//!
//! Checksums are SHA-256 in 64 hexadecimal digits. Only the sender tells them: those of the receiver would tell anybody
//! who connects what its files hold.
//!
//! Both ends send Pings, even while they read a large part for its checksum. An end from which nothing comes for the
//! time of `--idle-timeout` counts as gone.

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
