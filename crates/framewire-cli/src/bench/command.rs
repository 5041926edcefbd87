//! The command line of a run, as it can be shown to others.

use std::fmt::Display;

use super::options::Options;
use super::plan::{Pace, Plan};

/// Returns what to type to do a run again, with each option and its value as one word. What may be secret is left out:
/// the values of headers, and passwords.
pub(crate) fn command(options: &Options, plan: &Plan) -> Vec<String> {
    let mut words = vec!["framewire".to_owned(), "bench".to_owned()];
    words.push(quoted(&without_password(&options.url)));
    let mut add = |name: &str, value: &dyn Display| {
        words.push(format!("--{name} {}", quoted(&value.to_string())));
    };
    add("connections", &plan.connections);
    add("threads", &plan.threads);
    match plan.pace {
        Pace::Closed(depth) => add("depth", &depth),
        Pace::Open(rate) => add("rate", &rate),
    }
    add("size", &plan.size);
    add("duration", &plan.duration.as_secs_f64());
    add("warm-up", &plan.warm_up.as_secs_f64());
    add("answer-timeout", &plan.answer_timeout.as_secs_f64());
    let reach = &options.reach;
    for (name, _) in &reach.header {
        add("header", &format_args!("{name}: …"));
    }
    for name in &reach.subprotocol {
        add("subprotocol", name);
    }
    if let Some(origin) = &reach.origin {
        add("origin", &String::from_utf8_lossy(origin.as_bytes()));
    }
    if let Some(place) = &reach.connect_to {
        add("connect-to", place);
    }
    if reach.follow > 0 {
        add("follow", &reach.follow);
    }
    if let Some(proxy) = &reach.proxy {
        add("proxy", &without_password(proxy));
    }
    if let Some(file) = &reach.tls_ca {
        add("tls-ca", &file.display());
    }
    let deflate = reach.deflate.map(|level| format!("--deflate={level}"));
    words.extend(deflate);
    let flags = [("--insecure", reach.insecure), ("--binary", plan.binary)];
    let flags = flags.into_iter().filter(|(_, is_set)| *is_set);
    words.extend(flags.map(|(name, _)| name.to_owned()));
    words
}

/// Returns a URL without the name and the password of a user.
pub(crate) fn without_password(url: &str) -> String {
    let start = url.find("://").map_or(0, |end| end + 3);
    let (scheme, rest) = url.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host = authority
        .rfind('@')
        .map_or(authority, |at| &authority[at + 1..]);
    format!("{scheme}{host}{tail}")
}

/// Quotes a word for a shell, if that is needed.
fn quoted(word: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=+,@".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn options(arguments: &[&str]) -> Options {
        let command = Options::augment_args(Command::new("bench").no_binary_name(true));
        Options::from_arg_matches(&command.get_matches_from(arguments)).unwrap()
    }

    fn shown(arguments: &[&str]) -> String {
        let options = options(arguments);
        command(&options, &Plan::new(&options)).join(" ")
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = shown(&[
            "ws://me:hush@a.example/it's?q",
            "-H",
            "Authorization: hush",
            "--proxy",
            "http://me:hush@b.example:1",
        ]);
        assert!(!shown.contains("hush"), "{shown}");
        for part in [
            r"'ws://a.example/it'\''s?q'",
            "--header 'authorization: …'",
            "--proxy http://b.example:1",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }

    #[test]
    fn what_is_shown_does_the_same() {
        let arguments = [
            "ws://a.example/",
            "-c3",
            "-t2",
            "--rate=2.5",
            "--size=1KiB",
            "-d2.5",
            "--deflate=9",
            "--binary",
        ];
        let shown = shown(&arguments);
        let words: Vec<_> = shown.split(' ').skip(2).collect();
        let again = options(&words);
        assert_eq!(command(&again, &Plan::new(&again)).join(" "), shown);
        assert_eq!(
            (again.size, again.rate, again.binary),
            (1024, Some(2.5), true)
        );
        assert_eq!(again.reach.deflate, Some(9));
    }
}
