//! tungstenite.

fn main() -> anyhow::Result<()> {
    Ok(framewire_bench_sizes::serve_blocking(|stream| {
        let mut websocket = tungstenite::accept(stream)?;
        loop {
            let message = websocket.read()?;
            if message.is_text() || message.is_binary() {
                websocket.send(message)?;
            }
        }
    })?)
}
