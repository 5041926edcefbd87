//! What an RFC requires, from a file that people edit.
//!
//! ```text
//! rfc 6455 The WebSocket Protocol
//! section 5.3 Client-to-Server Masking, 4 keywords
//! MUST client x2: Each frame has a key of its own, which nobody can predict.
//!   rfc6455_5_3_every_frame_has_a_fresh_key
//! SHOULD application: The key is not logged.
//!   none: the library logs nothing.
//! ```

use std::iter::Peekable;
use std::str::Lines;

use anyhow::{Context as _, Result, bail, ensure};

#[derive(Debug)]
pub(super) struct Rfc {
    pub(super) number: u32,
    pub(super) title: String,
    /// Whether sections that are not here may require something: the title ends in "in part".
    pub(super) is_part: bool,
    pub(super) sections: Vec<Section>,
}

#[derive(Debug)]
pub(super) struct Section {
    pub(super) number: String,
    pub(super) title: String,
    /// How often its text says MUST or SHOULD, or a synonym. Without it the section is not here as a whole.
    pub(super) keywords: Option<usize>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) level: Level,
    /// Whom it binds.
    pub(super) binds: String,
    /// How many keywords of the section say it. None says what is MAY, or follows from a definition.
    pub(super) keywords: usize,
    pub(super) sentence: String,
    pub(super) proof: Proof,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Must,
    Should,
    May,
}

#[derive(Debug)]
pub(super) enum Proof {
    /// The names of the tests that hold it. Without one it is open.
    Tests(Vec<String>),
    /// Why there is none.
    Reason(String),
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::May => "MAY",
        }
    }
}

/// Reads a file of requirements. Space at the beginning of lines, empty ones and those that begin with `#` are for
/// people.
pub(super) fn parse(text: &str) -> Result<Vec<Rfc>> {
    let mut rfcs: Vec<Rfc> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if is_for_people(line) {
            continue;
        }
        let context = || format!("in {line:?}");
        if let Some(rest) = line.strip_prefix("rfc ") {
            rfcs.push(rfc(rest).with_context(context)?);
            continue;
        }
        let rfc = rfcs
            .last_mut()
            .context("no rfc before it")
            .with_context(context)?;
        if let Some(rest) = line.strip_prefix("section ") {
            rfc.sections.push(section(rest).with_context(context)?);
            continue;
        }
        let section = rfc.sections.last_mut();
        let section = section
            .context("no section before it")
            .with_context(context)?;
        section
            .entries
            .push(entry(line, &mut lines).with_context(context)?);
    }
    Ok(rfcs)
}

fn rfc(line: &str) -> Result<Rfc> {
    let (number, title) = line.split_once(' ').context("no title")?;
    Ok(Rfc {
        number: number.parse().context("no number")?,
        title: title.to_owned(),
        is_part: title.ends_with(", in part"),
        sections: Vec::new(),
    })
}

fn section(line: &str) -> Result<Section> {
    let (number, title) = line.split_once(' ').context("no title")?;
    let counted = title.rsplit_once(", ").and_then(|(title, count)| {
        let (count, word) = count.split_once(' ')?;
        let is_count = matches!(word, "keyword" | "keywords");
        is_count.then_some((title, count))
    });
    let keywords = counted.map(|(_, count)| count.parse().context("no number of keywords"));
    Ok(Section {
        number: number.to_owned(),
        title: counted.map_or(title, |(title, _)| title).to_owned(),
        keywords: keywords.transpose()?,
        entries: Vec::new(),
    })
}

/// Reads `MUST both x2: A sentence.`, and what stands below it: names of tests, or `none:` and a reason.
fn entry(line: &str, lines: &mut Peekable<Lines<'_>>) -> Result<Entry> {
    let (head, sentence) = line
        .split_once(": ")
        .context("no colon before a sentence")?;
    let words: Vec<&str> = head.split(' ').collect();
    let (level, binds, count) = match words[..] {
        [level, binds] => (level, binds, None),
        [level, binds, count] => (level, binds, Some(count)),
        _ => bail!("no level, such as MUST, and whom it binds"),
    };
    let level = match level {
        "MUST" => Level::Must,
        "SHOULD" => Level::Should,
        "MAY" => Level::May,
        other => bail!("{other} is no level"),
    };
    ensure!(BOUND.contains(&binds), "{binds} is nobody");
    let keywords = match count {
        None => usize::from(level != Level::May),
        Some(count) => {
            let count = count.strip_prefix('x').and_then(|count| count.parse().ok());
            count.context("the number of keywords is one such as x2")?
        }
    };
    let mut sentence = sentence.to_owned();
    let mut names = Vec::new();
    let mut reason: Option<String> = None;
    while let Some(line) = lines.next_if(|line| is_below(line)) {
        let line = line.trim();
        if let Some(first) = line.strip_prefix("none: ") {
            ensure!(reason.is_none(), "two reasons");
            reason = Some(first.to_owned());
        } else if let Some(reason) = &mut reason {
            reason.push_str(&[" ", line].concat());
        } else if names.is_empty() && !is_name(line) {
            sentence.push_str(&[" ", line].concat());
        } else {
            ensure!(is_name(line), "{line:?} is no name of a test");
            names.push(line.to_owned());
        }
    }
    let proof = match reason {
        Some(_) if !names.is_empty() => bail!("tests, and a reason why there is none"),
        Some(reason) => Proof::Reason(reason),
        None => Proof::Tests(names),
    };
    Ok(Entry {
        level,
        binds: binds.to_owned(),
        keywords,
        sentence,
        proof,
    })
}

/// Returns whether a line goes on with the entry above it.
fn is_below(line: &str) -> bool {
    let line = line.trim();
    let begins = ["rfc ", "section ", "MUST ", "SHOULD ", "MAY "];
    !is_for_people(line) && !begins.iter().any(|begin| line.starts_with(begin))
}

fn is_name(line: &str) -> bool {
    line.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn is_for_people(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// Whom a requirement can bind. `both` are the two endpoints. An `author` writes extensions, registrations or other
/// RFCs.
const BOUND: [&str; 7] = [
    "both",
    "client",
    "server",
    "application",
    "intermediary",
    "proxy",
    "author",
];

#[cfg(test)]
mod tests {
    use super::{Level, Proof, parse};

    #[test]
    fn sections_sentences_tests_and_reasons_are_read() {
        let text = "
            # For people.
            rfc 9112 HTTP/1.1, in part
            section 3.2 Request Target, 6 keywords
            MUST server x3: A request without a host is refused, and so is one with
              two.
              no_host
              two_hosts
            SHOULD application: It is kind.
              none: the application's,
              and not the library's
            section 4 Status Line
            MAY client: It ignores the phrase.
        ";
        let [rfc] = &parse(text).unwrap()[..] else {
            panic!("one RFC");
        };
        assert_eq!((rfc.number, rfc.is_part), (9112, true));
        let [target, status] = &rfc.sections[..] else {
            panic!("two sections");
        };
        assert_eq!(
            (&target.number[..], &target.title[..]),
            ("3.2", "Request Target")
        );
        assert_eq!((target.keywords, status.keywords), (Some(6), None));
        let [host, kind] = &target.entries[..] else {
            panic!("two requirements");
        };
        assert_eq!(
            host.sentence,
            "A request without a host is refused, and so is one with two."
        );
        assert_eq!(
            (host.level, &host.binds[..], host.keywords),
            (Level::Must, "server", 3)
        );
        assert!(matches!(&host.proof, Proof::Tests(names) if names == &["no_host", "two_hosts"]));
        assert_eq!((kind.level, kind.keywords), (Level::Should, 1));
        let reason = "the application's, and not the library's";
        assert!(matches!(&kind.proof, Proof::Reason(found) if found == reason));
        assert_eq!(
            (status.entries[0].level, status.entries[0].keywords),
            (Level::May, 0)
        );
    }

    #[test]
    fn what_is_none_of_it_is_an_error() {
        let section = "rfc 1 A\nsection 1 B\n";
        for (text, error) in [
            ("section 1 A", "no rfc before it"),
            ("rfc 1 A\nMUST both: It is.", "no section before it"),
            ("rfc one A", "no number"),
            (&format!("{section}MUST: It is."), "no level"),
            (&format!("{section}WILL both: It is."), "WILL is no level"),
            (&format!("{section}MUST nobody: It is."), "nobody is nobody"),
            (&format!("{section}MUST both 2: It is."), "one such as x2"),
            (
                &format!("{section}MUST both: It is.\na\nnone: b"),
                "tests, and a reason",
            ),
            (
                &format!("{section}MUST both: It is.\na\nb c"),
                "no name of a test",
            ),
            (
                &format!("{section}MUST both: It is.\nnone: a\nnone: b"),
                "two reasons",
            ),
        ] {
            let found = format!("{:#}", parse(text).unwrap_err());
            assert!(found.contains(error), "{text:?}: {found}");
        }
    }
}
