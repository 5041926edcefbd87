//! TLS (feature `rustls`) without I/O: which roots a client trusts, what may be agreed on, errors in words.

mod error;
mod peer;
mod roots;

pub(crate) use error::{broken, refused, refused_client, unusable};
pub(crate) use peer::{check_alpn, server_name};
pub(crate) use roots::or_default;
