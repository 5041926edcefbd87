//! fastwebsockets, over hyper.

use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|stream| async {
        let service = service_fn(|mut request| async move {
            let (response, upgraded) = upgrade(&mut request)?;
            tokio::task::spawn_local(echo(upgraded));
            Ok::<_, WebSocketError>(response)
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        Ok(connection.with_upgrades().await?)
    })
}

async fn echo(upgraded: UpgradeFut) -> anyhow::Result<()> {
    let mut websocket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}
