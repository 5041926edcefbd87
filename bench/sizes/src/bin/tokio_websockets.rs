//! tokio-websockets.

use futures_util::{SinkExt as _, StreamExt as _};

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|stream| async {
        let accepted = tokio_websockets::ServerBuilder::new()
            .accept(stream)
            .await?;
        let (_request, mut websocket) = accepted;
        while let Some(message) = websocket.next().await.transpose()? {
            if message.is_text() || message.is_binary() {
                websocket.send(message).await?;
            }
        }
        Ok(())
    })
}
