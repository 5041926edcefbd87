//! A client: sends each argument as a text message, prints what comes back, and closes.
//!
//! `cargo run -p framewire --example client -- ws://127.0.0.1:9001/ hello world`

use std::env;
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let uri = arguments.next().ok_or("usage: client URI TEXT...")?;
    let texts: Vec<String> = arguments.collect();
    for reply in run(&uri, &texts)? {
        println!("{reply}");
    }
    Ok(())
}

pub(crate) fn run(uri: &str, texts: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut websocket = framewire::connect(uri)?;

    // All messages leave with one system call.
    for text in texts {
        websocket.feed(text)?;
    }
    websocket.flush()?;
    let mut replies = Vec::new();
    while replies.len() < texts.len()
        && let Some(message) = websocket.next_message()?
    {
        replies.push(message.text().unwrap_or("(binary)").to_owned());
    }

    // Sends a Close frame and waits for the server's, for 5 seconds at most.
    let shutdown = websocket.shutdown(Duration::from_secs(5))?;
    if !shutdown.clean {
        eprintln!("not closed cleanly: {}", shutdown.code);
    }
    Ok(replies)
}
