//! sockudo-ws.

use futures_util::{SinkExt as _, StreamExt as _};
use sockudo_ws::handshake::server_handshake;
use sockudo_ws::{Config, Message, Role, WebSocketStream};

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|mut stream| async move {
        let request = server_handshake(&mut stream).await?;
        let (role, config) = (Role::Server, Config::default());
        let rest = request.leftover;
        let mut websocket = WebSocketStream::from_raw_with_leftover(stream, role, config, rest);
        while let Some(message) = websocket.next().await.transpose()? {
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                websocket.send(message).await?;
            }
        }
        Ok(())
    })
}
