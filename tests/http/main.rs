//! Connections of the servers of hyper and axum, over HTTP/1.1 and HTTP/2.

mod axum;
mod client;
mod http1;
mod http2;
