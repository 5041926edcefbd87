//! Heads of requests and responses, without I/O: bytes to heads, checks, answers, and heads to bytes.

mod body;
mod encode;
mod extended_connect;
mod fields;
mod limits;
mod lines;
mod negotiate;
mod request;
mod response;

pub(crate) use body::Body;
pub use body::IncompleteBody;
pub(crate) use encode::encode_head;
pub use encode::{encode_request, encode_response};
pub use extended_connect::{check_extended_connect_response, respond_extended_connect};
pub use fields::hide_credentials;
pub use limits::Limits;
pub(crate) use lines::begins_tls;
pub(crate) use negotiate::{announces_body, check_request};
pub use negotiate::{check_response, respond};
pub use request::RequestDecoder;
pub use response::ResponseDecoder;
