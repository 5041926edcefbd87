//! A tunnel through an HTTP proxy (RFC 9110 9.3.6).

use super::endpoint::Endpoint;
use super::proxy::Credentials;
use crate::error::{UpgradeError, UpgradeErrorKind};
use crate::exchange::{Peek, peek, read_body, read_exact, write_all};
use crate::head::{Limits, ResponseDecoder};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Response;

/// Asks the proxy at the other end of a stream for a tunnel. Reads no more from the stream than the head of its
/// answer: what follows is the target's.
pub(super) async fn open<W: Peek>(
    wire: &mut W,
    target: &Endpoint,
    credentials: Option<&Credentials>,
) -> Result<(), UpgradeError> {
    write_all(wire, &encode(target, credentials)).await?;
    let response = read_head(wire).await?;
    // Any 2xx is a tunnel, whatever its length fields say.
    if response.status().is_success() {
        return Ok(());
    }
    let message = format!("it refused the tunnel with status {}", response.status());
    let response = read_body(wire, response, &[]).await;
    Err(UpgradeError::new(UpgradeErrorKind::Proxy, message).with_received(response))
}

/// Returns the request for a tunnel.
fn encode(target: &Endpoint, credentials: Option<&Credentials>) -> Vec<u8> {
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(Credentials { user, password }) = credentials {
        let basic = STANDARD.encode(format!("{user}:{password}"));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&basic);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
}

async fn read_head<W: Peek>(wire: &mut W) -> Result<Response<()>, UpgradeError> {
    let mut decoder = ResponseDecoder::new(&Limits::default());
    loop {
        let next = peek(wire, |piece| {
            if piece.is_empty() {
                return Err(UpgradeError::new(
                    UpgradeErrorKind::Closed,
                    "it ended the connection",
                ));
            }
            decoder.decode(piece)
        });
        let (used, response) = next.await?;
        // These bytes have already arrived.
        read_exact(wire, used).await?;
        if let Some(response) = response {
            return Ok(response);
        }
    }
}
