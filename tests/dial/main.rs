//! From a URI to a connection: names, addresses, proxies, redirects, TLS.

mod blocking;
mod receiving;
mod servers;
mod tls_end;
mod tokio;
