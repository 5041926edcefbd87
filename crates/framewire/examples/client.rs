//! A client: sends each argument as a text message, prints what comes back, and closes.
//!
//! `cargo run --example client -- 127.0.0.1:9001 hello world`

use std::error::Error;
use std::net::TcpStream;
use std::time::Duration;
use std::{env, iter};

use framewire::handshake::Connector;
use framewire::{Config, Opcode};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().ok_or("usage: client HOST:PORT TEXT...")?;
    let texts: Vec<String> = arguments.collect();
    for reply in run(&address, &texts)? {
        println!("{reply}");
    }
    Ok(())
}

pub(crate) fn run(address: &str, texts: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let uri = format!("ws://{address}/");
    let mut websocket = framewire::client(stream, &uri, &Connector::new(), Config::default())?;

    // All of them leave with one system call.
    for text in texts {
        websocket.feed_message(Opcode::Text, text.as_bytes())?;
    }
    websocket.flush()?;
    let replies = iter::repeat_with(|| {
        let message = websocket.next_message()?;
        Ok(message.text().unwrap_or("(binary)").to_owned())
    });
    let replies = replies
        .take(texts.len())
        .collect::<Result<_, framewire::Error>>()?;

    // Sends Close and waits for the server's, but not for ever.
    let shutdown = websocket.shutdown(Duration::from_secs(5))?;
    if !shutdown.clean {
        eprintln!("not closed cleanly: {}", shutdown.code);
    }
    Ok(replies)
}
