//! `framewire send`: a client that sends files, one after the other, and connects again where the connection breaks.

mod content;
mod link;
mod retry;

use std::io;
use std::thread;

use self::content::{Content, Source, named};
use self::link::{Link, Trouble};
use self::retry::Retries;
use super::options::SendOptions;
use super::progress::{Progress, Screen};
use super::protocol::{Answer, SUBPROTOCOL, Say, Why};
use crate::failure::Failure;
use crate::reach::Reach;

/// Sends all files.
pub(crate) fn run(options: &SendOptions) -> Result<(), Failure> {
    let named = named(&options.files, options.name.as_deref());
    let named = named.map_err(|why| Failure::Ended(format!("{why}; {NOTHING}")))?;
    let screen = Screen::new(options.quiet);
    for why in &named.left_out {
        screen.warn(format_args!("{why}"));
    }
    if named.sources.is_empty() {
        return Err(Failure::Ended(NOTHING.to_owned()));
    }
    end_on_signals(&screen, named.sources.iter().any(Source::is_stream))?;
    let mut reach = options.reach.clone();
    reach.subprotocol.insert(0, SUBPROTOCOL.to_owned());
    let mut job = Job {
        options,
        link: Link::open(&reach, &options.url, options.idle_timeout)?,
        reach,
        screen,
        retries: Retries::new(options.retries),
        missing: named.left_out.len(),
    };
    let files = options.files.len();
    let mut ended = Ok(());
    for (number, source) in named.sources.iter().enumerate() {
        ended = job.send(source);
        if ended.is_err() {
            job.missing += named.sources.len() - number;
            break;
        }
    }
    // The receiver is told where it gave up, too, if there is a connection.
    job.link.close();
    if let Err(Failure::Ended(why)) = &mut ended
        && files > 1
    {
        *why = format!("{why}; {}", not_arrived(job.missing, files));
    }
    ended?;
    match job.missing {
        0 => Ok(()),
        missing => Err(Failure::Ended(not_arrived(missing, files))),
    }
}

fn not_arrived(missing: usize, files: usize) -> String {
    format!("{missing} of {files} files did not arrive")
}

/// All that is to be sent, and the connection for it.
struct Job<'a> {
    options: &'a SendOptions,
    reach: Reach,
    screen: Screen,
    link: Link,
    retries: Retries,
    /// How many files were left out or refused.
    missing: usize,
}

impl Job<'_> {
    /// Sends one file, over as many connections as that takes.
    fn send(&mut self, source: &Source) -> Result<(), Failure> {
        let name = &source.name;
        let mut furthest = None;
        loop {
            let mut content = match source.open() {
                Ok(content) => content,
                Err(error) => {
                    self.skip(name, &format!("cannot read it: {error}"));
                    return Ok(());
                }
            };
            let mut progress = self.screen.begin(name, content.size());
            let sent = transfer(&mut self.link, name, &mut content, &mut progress);
            let line = progress.to_string();
            let from = progress.before();
            drop(progress);
            // What was sent has arrived only if the receiver goes on behind it: a proxy may have swallowed it.
            if sent.is_ok() || furthest.is_some_and(|furthest| from > furthest) {
                self.retries.start_over();
            }
            furthest = furthest.max(Some(from));
            match sent {
                Ok(()) => {
                    self.screen.tell(format_args!("{name}: {line}"));
                    return Ok(());
                }
                Err(Trouble::Refused(refused)) => match refused.why {
                    Why::Busy if !source.is_stream() => {
                        self.pause(&format!("{name}: {refused}"), "trying again")?;
                    }
                    // The next file would not find more room.
                    Why::Storage => return Err(Failure::Ended(format!("{name}: {refused}"))),
                    _ => {
                        self.skip(name, &refused.to_string());
                        return Ok(());
                    }
                },
                Err(Trouble::Lost(why)) if source.is_stream() && content.is_begun() => {
                    let message = format!("{name}: {why}; what was read cannot be sent again");
                    return Err(Failure::Ended(message));
                }
                Err(Trouble::Lost(why)) => self.connect_again(why)?,
                Err(Trouble::Final(why)) => {
                    return Err(Failure::Ended(format!("{name}: {why}")));
                }
            }
        }
    }

    /// Goes on with the next file.
    fn skip(&mut self, name: &str, why: &str) {
        self.screen.warn(format_args!("{name}: {why}"));
        self.missing += 1;
    }

    fn connect_again(&mut self, mut why: String) -> Result<(), Failure> {
        loop {
            self.pause(&why, "connecting again")?;
            match Link::open(&self.reach, &self.options.url, self.options.idle_timeout) {
                Ok(link) => {
                    self.link = link;
                    return Ok(());
                }
                Err(Failure::Refused {
                    message,
                    lasts: false,
                    ..
                }) => why = message,
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Waits before another try, if there may be one.
    fn pause(&mut self, why: &str, then: &str) -> Result<(), Failure> {
        let Some(pause) = self.retries.next() else {
            let retries = self.options.retries;
            let message = format!("{why}; given up after {retries} retries");
            return Err(Failure::Ended(message));
        };
        self.screen
            .tell(format_args!("{why}; {then} in {pause:.1?}"));
        thread::sleep(pause);
        Ok(())
    }
}

/// Sends one file over one connection.
fn transfer(
    link: &mut Link,
    name: &str,
    content: &mut Content,
    progress: &mut Progress,
) -> Result<(), Trouble> {
    link.say(&Say::File {
        name: name.to_owned(),
        size: content.size(),
    })?;
    let cannot_read = |error: io::Error| Trouble::Final(format!("cannot read it: {error}"));
    let answer = match link.answer()? {
        Answer::Have(bytes) => {
            let digits = content.prefix(bytes, |looked| progress.look(looked));
            link.say(&Say::Prefix(digits.map_err(cannot_read)?))?;
            link.answer()?
        }
        answer => answer,
    };
    let from = match answer {
        Answer::From(from) => from,
        Answer::Failed(refused) => return Err(Trouble::Refused(refused)),
        Answer::Have(_) | Answer::Done(_) => return Err(out_of_order()),
    };
    if !content.begin(from).map_err(cannot_read)? {
        return Err(out_of_order());
    }
    progress.start(from);
    link.stream(content, progress)?;
    link.say(&Say::Sha256(content.digits()))?;
    match link.answer()? {
        Answer::Done(_) => Ok(()),
        Answer::Failed(refused) => Err(Trouble::Refused(refused)),
        Answer::Have(_) | Answer::From(_) => Err(out_of_order()),
    }
}

fn out_of_order() -> Trouble {
    Trouble::Final("the receiver does not keep to the protocol".to_owned())
}

/// Has a signal end the program at once: what has arrived stays at the receiver.
fn end_on_signals(screen: &Screen, is_stream: bool) -> Result<(), Failure> {
    let screen = screen.clone();
    let advice = if is_stream {
        "the standard input has to be sent from its beginning"
    } else {
        "the same command goes on where this one was"
    };
    let handler = move || {
        screen.tell(format_args!("interrupted: {advice}"));
        std::process::exit(130);
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::NoConnection(format!("cannot handle signals: {error}")))
}

const NOTHING: &str = "nothing was sent";
