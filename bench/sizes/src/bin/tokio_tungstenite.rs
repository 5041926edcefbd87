//! tokio-tungstenite.

use futures_util::{SinkExt as _, StreamExt as _};

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|stream| async {
        let mut websocket = tokio_tungstenite::accept_async(stream).await?;
        while let Some(message) = websocket.next().await.transpose()? {
            if message.is_text() || message.is_binary() {
                websocket.send(message).await?;
            }
        }
        Ok(())
    })
}
