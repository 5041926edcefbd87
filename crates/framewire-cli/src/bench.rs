//! `framewire bench`: measures a server that echoes.
//!
//! `options` become a `plan`. `load` carries it out, in threads that each keep a `record` of their own. `results` are
//! what comes of that, told by `summary`, `json` and `report`. How latencies are recorded and corrected knows no clock
//! and no socket.

mod buckets;
mod busy;
mod command;
mod content;
mod figures;
mod flight;
mod json;
mod latencies;
mod load;
mod options;
mod plan;
mod progress;
mod record;
mod replaced;
mod report;
mod results;
mod summary;
mod target;
mod trouble;
mod verdict;

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};

use console::Term;

pub(crate) use self::options::Options;

use self::figures::things;
use self::load::Event;
use self::plan::Plan;
use self::progress::Progress;
use self::replaced::Replaced;
use self::results::Results;
use self::target::Target;
use crate::failure::Failure;
use crate::terminal::{self, note};

/// Measures a server, and tells the results.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let target = Arc::new(Target::new(options)?);
    let plan = Arc::new(Plan::new(options));
    // A file that cannot be written is told before the run.
    let page = options.report.as_deref().map(check).transpose();
    let page = page.map_err(Failure::NoConnection)?;
    let (events, happened) = mpsc::channel();
    stop_on_signals(events.clone())?;
    let progress = Progress::new(options.quiet);
    let run = load::run(&target, &plan, &progress, (events, happened));
    let results = Results::new(options, &plan, run.map_err(Failure::NoConnection)?);
    if let Some((path, file)) = page {
        let written = file.write(report::page(&results).as_bytes());
        written.map_err(|error| Failure::Ended(unwritable(path, &error)))?;
    }
    let printed = print(options, &results);
    printed.map_err(|error| Failure::Ended(format!("cannot write the results: {error}")))?;
    if results.run.was_interrupted && results.run.connected == 0 {
        std::process::exit(INTERRUPTED);
    }
    judge(options, &results)
}

fn check(path: &Path) -> Result<(&Path, Replaced), String> {
    let file = Replaced::new(path).map_err(|error| unwritable(path, &error))?;
    Ok((path, file))
}

fn unwritable(path: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Makes the first signal end the run early, and the second end the program.
fn stop_on_signals(events: Sender<Event>) -> Result<(), Failure> {
    let signalled = AtomicBool::new(false);
    let handler = move || {
        if signalled.swap(true, Ordering::Relaxed) || events.send(Event::Interrupted).is_err() {
            std::process::exit(INTERRUPTED);
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Failure::NoConnection(format!("cannot handle signals: {error}")))
}

fn print(options: &Options, results: &Results) -> io::Result<()> {
    let text = if options.json {
        format!("{}\n", terminal::printable(&json::json(results)))
    } else {
        let width = Term::stdout().size_checked();
        let width = width.map_or(WIDTH, |(_, columns)| usize::from(columns));
        summary::summary(results, width)
    };
    let mut output = anstream::stdout().lock();
    let printed = output.write_all(text.as_bytes());
    match printed.and_then(|()| output.flush()) {
        // If it was closed, nobody wants to know.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed?,
    }
    if let Some(path) = &options.report
        && !options.quiet
    {
        note(format_args!("report written to {}", path.display()));
    }
    Ok(())
}

/// Returns success if all went well. The summary tells the errors themselves, which are not told twice.
fn judge(options: &Options, results: &Results) -> Result<(), Failure> {
    let troubles = &results.run.record.troubles;
    let Some((kind, trouble)) = troubles.iter().max_by_key(|(_, trouble)| trouble.count) else {
        return Ok(());
    };
    let most = if options.json {
        format!(": {} × {kind}: {}", trouble.count, trouble.first)
    } else {
        String::new()
    };
    if results.run.connected == 0 {
        return Err(Failure::NoConnection(format!("no connection{most}")));
    }
    let errors = things(results.errors(), "error");
    Err(Failure::Ended(format!("{errors}{most}")))
}

/// The exit code of a program that a signal has ended.
const INTERRUPTED: i32 = 130;

/// The width of a line where it is not known.
const WIDTH: usize = 80;
