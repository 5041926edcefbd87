//! yawc, over hyper.

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use yawc::{OpCode, Options, UpgradeFut, WebSocket, WebSocketError};

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|stream| async {
        let service = service_fn(|mut request| async move {
            let (response, upgraded) =
                WebSocket::upgrade_with_options(&mut request, Options::default())?;
            tokio::task::spawn_local(echo(upgraded));
            Ok::<_, WebSocketError>(response)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        Ok(connection.with_upgrades().await?)
    })
}

async fn echo(upgraded: UpgradeFut) -> anyhow::Result<()> {
    let mut websocket = upgraded.await?;
    while let Some(frame) = websocket.next().await {
        if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) {
            websocket.send(frame).await?;
        }
    }
    Ok(())
}
