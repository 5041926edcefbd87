//! framewire over tokio.

fn main() -> anyhow::Result<()> {
    framewire_bench_sizes::serve(|stream| async {
        let mut websocket = framewire::tokio::accept(stream).await?;
        while let Some((message, writer)) = websocket.next_message_and_writer().await? {
            writer.feed(message).await?;
        }
        Ok(())
    })
}
