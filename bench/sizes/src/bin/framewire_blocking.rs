//! framewire's blocking front end.

fn main() -> anyhow::Result<()> {
    Ok(framewire_bench_sizes::serve_blocking(|stream| {
        let mut websocket = framewire::accept(stream)?;
        while let Some((message, writer)) = websocket.next_message_and_writer()? {
            writer.feed(message)?;
        }
        Ok(())
    })?)
}
