//! A chat member that comes back: `cargo run -p framewire --example tokio_chat_member --features tokio-net -- URI`.
use framewire::{ErrorKind, tokio::connect};
use std::{env, time::Duration};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader, Lines, stdin};
use tokio::{select, time::sleep};
#[tokio::main]
async fn main() {
    let mut lines = BufReader::new(stdin()).lines();
    stay(&env::args().nth(1).unwrap_or_default(), &mut lines).await;
}
pub(crate) async fn stay<R: AsyncBufRead + Unpin>(uri: &str, lines: &mut Lines<R>) {
    let mut tries = 0;
    loop {
        let talk = async {
            let mut chat = connect(uri).await.inspect(|_| tries = 0)?;
            chat.set_keep_alive(Duration::from_secs(30), Duration::from_secs(10))?;
            loop {
                select! {
                    said = chat.next_message() => println!("{:?}", said?.ok_or(ErrorKind::ConnectionLost)?.text()),
                    line = lines.next_line() => match line? { Some(line) => chat.write(line).await?, None => break },
                }
            }
            chat.shutdown(Duration::from_secs(5)).await // A goodbye of five seconds at most.
        };
        let Err(error) = talk.await else { return };
        eprintln!("{error}");
        sleep(Duration::from_millis(250 << tries)).await;
        tries = (tries + 1).min(8); // A minute at most.
    }
}
