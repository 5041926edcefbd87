//! soketto.

use soketto::Data;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use tokio_util::compat::TokioAsyncReadCompatExt as _;

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|stream| async {
        let mut server = Server::new(stream.compat());
        let key = server.receive_request().await?.key();
        let protocol = None;
        server
            .send_response(&Response::Accept { key, protocol })
            .await?;
        let (mut sender, mut receiver) = server.into_builder().finish();
        let mut message = Vec::new();
        loop {
            message.clear();
            match receiver.receive_data(&mut message).await? {
                Data::Text(_) => sender.send_text(str::from_utf8(&message)?).await?,
                Data::Binary(_) => sender.send_binary(&message).await?,
            }
            sender.flush().await?;
        }
    })
}
