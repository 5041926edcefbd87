//! The grammar of parts of a head: hosts, lists and tokens, paths and queries.

mod host;
mod list;
mod percent;

pub use host::split_host;
pub(crate) use list::{contains, is_protocol};
pub use list::{is_token, lists};
pub use percent::encode as percent_encode;
