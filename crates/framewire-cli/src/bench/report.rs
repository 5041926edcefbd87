//! Results as a page that can be sent to others: it needs no other file, and no script.

mod charts;
mod escape;
mod plot;
mod scale;

use std::fmt::{self, Write as _};

use self::escape::escaped;
use super::figures::{bytes, count, rate, things, time, time_or_none};
use super::latencies::QUANTILES;
use super::plan::Pace;
use super::results::Results;

/// Returns the results as a page.
pub(crate) fn page(results: &Results) -> String {
    let mut page = Page::default();
    page.head(results);
    page.notices(results);
    page.tiles(results);
    page.put(format_args!("<section class=\"plots\">\n"));
    for chart in charts::all(results) {
        page.put(format_args!("{chart}"));
    }
    page.put(format_args!("</section>\n<section class=\"tables\">\n"));
    page.latencies(results);
    page.setting(results);
    page.put(format_args!("</section>\n"));
    page.errors(results);
    page.foot(results);
    page.0
}

/// HTML. Writing to it does not fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, results: &Results) {
        let url = escaped(&results.url);
        let date = humantime::format_rfc3339_seconds(results.date).to_string();
        self.put(format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{url} – framewire bench</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
             <header>\n<p class=\"kind\">WebSocket benchmark</p>\n<h1>{url}</h1>\n<p>{}</p>\n<p class=\"date\">{}</p>\n\
             </header>\n",
            escaped(&what(results)),
            date.replace('T', " ").replace('Z', " UTC"),
        ));
    }

    fn notices(&mut self, results: &Results) {
        for warning in &results.warnings {
            let mut letters = warning.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            let warning: String = first.into_iter().chain(letters).collect();
            self.put(format_args!(
                "<p class=\"notice warning\"><strong>Read with care.</strong> {}.</p>\n",
                escaped(&warning)
            ));
        }
        if results.run.was_interrupted {
            self.put(format_args!(
                "<p class=\"notice warning\">The run was interrupted after {}.</p>\n",
                time(results.run.measured)
            ));
        }
    }

    fn tiles(&mut self, results: &Results) {
        let (messages, payload) = results.throughput();
        let errors: u64 = results.errors();
        self.put(format_args!("<section class=\"tiles\">\n"));
        self.tile("Messages/s", &rate(messages), "answered", "");
        let payload = format!("{}/s", bytes(payload));
        self.tile("Payload", &payload, "sent, and as much received", "");
        for (name, share) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let measured = time_or_none(results.measured().quantile(share));
            let title = format!("Latency {name}");
            let corrected = time_or_none(results.corrected.quantile(share));
            self.tile(&title, &corrected, &format!("measured {measured}"), "");
        }
        let mark = if errors > 0 { " bad" } else { "" };
        let connected = format!(
            "{} of {} connected",
            count(results.run.connected),
            count(results.plan.connections as u64)
        );
        self.tile("Errors", &count(errors), &connected, mark);
        self.put(format_args!("</section>\n"));
    }

    fn tile(&mut self, title: &str, figure: &str, beside: &str, mark: &str) {
        self.put(format_args!(
            "<div class=\"tile{mark}\"><span>{title}</span><b>{}</b><small>{}</small></div>\n",
            escaped(figure),
            escaped(beside),
        ));
    }

    fn latencies(&mut self, results: &Results) {
        let (corrected, measured) = (&results.corrected, results.measured());
        let quantiles = QUANTILES
            .map(|(name, share)| (name, corrected.quantile(share), measured.quantile(share)));
        let mut rows = vec![("min", corrected.min(), measured.min())];
        rows.extend(quantiles);
        rows.push(("max", corrected.max(), measured.max()));
        rows.push(("mean", corrected.mean(), measured.mean()));
        self.put(format_args!(
            "<div class=\"card\"><h2>Latency</h2>\n<table class=\"figures\">\n\
             <tr><th></th><th scope=\"col\">corrected</th><th scope=\"col\">measured</th></tr>\n"
        ));
        for (name, corrected, measured) in rows {
            self.put(format_args!(
                "<tr><th scope=\"row\">{name}</th><td>{}</td><td>{}</td></tr>\n",
                time_or_none(corrected),
                time_or_none(measured)
            ));
        }
        let meaning = match results.plan.pace {
            Pace::Closed(_) => {
                "<b>Measured</b>: the time from when a message was sent to its answer. Nothing is sent to a server \
                 while it stalls. <b>Corrected</b>: with a latency added for each message that would have been sent \
                 during a stall, at a rate of one per median latency."
            }
            Pace::Open(_) => {
                "<b>Corrected</b>: the time from when a message was due to its answer, as a user sees it. \
                 <b>Measured</b>: the time from when it was sent, which can be later than it was due."
            }
        };
        self.put(format_args!("</table>\n<p>{meaning}</p></div>\n"));
    }

    fn setting(&mut self, results: &Results) {
        let (plan, run, counts) = (&results.plan, &results.run, &results.run.record.counts);
        self.put(format_args!(
            "<div class=\"card\"><h2>What was measured</h2>\n<table>\n"
        ));
        let (pace, of_pace) = match plan.pace {
            Pace::Closed(depth) => ("Under way on each", things(depth as u64, "message")),
            Pace::Open(per_second) => ("Rate", format!("{} messages/s", rate(per_second))),
        };
        let kind = if plan.binary { "binary" } else { "text" };
        self.row("Connections", &count(plan.connections as u64));
        self.row("Threads", &count(plan.threads as u64));
        self.row(pace, &of_pace);
        self.row(
            "Message",
            &format!("{kind}, {}", things(plan.size as u64, "byte")),
        );
        let warm_up = time(plan.warm_up);
        self.row(
            "Measured",
            &format!("{} after a warm-up of {warm_up}", time(run.measured)),
        );
        if let Some(agreed) = &run.agreed {
            if let Some(place) = &agreed.redirected_to {
                self.row("Redirected to", place);
            }
            self.row("TLS", if agreed.is_tls { "yes" } else { "no" });
            let compression = agreed.compression.as_deref();
            self.row("Compression", compression.unwrap_or("none"));
            if let Some(name) = &agreed.subprotocol {
                self.row("Subprotocol", name);
            }
        }
        let (sent, answered) = (count(counts.sent), count(counts.answered));
        self.row("Answered", &format!("{answered} of {sent} sent"));
        for (number, reason) in counts.unsent_by_reason() {
            if number > 0 {
                let number = count(number);
                self.row("Due, but not sent", &format!("{number}, as {reason}"));
            }
        }
        if counts.greetings > 0 {
            let greetings = count(counts.greetings);
            self.row(
                "Greetings",
                &format!("{greetings} before the first message, not counted"),
            );
        }
        let connecting = &run.record.connecting;
        let (median, longest) = (connecting.quantile(0.5), connecting.max());
        let (median, longest) = (time_or_none(median), time_or_none(longest));
        self.row("To connect", &format!("p50 {median}, max {longest}"));
        if let Pace::Open(_) = plan.pace {
            let late = &run.record.lateness;
            let (median, p99) = (late.quantile(0.5), late.quantile(0.99));
            let (median, p99) = (time_or_none(median), time_or_none(p99));
            self.row(
                "Sent late by the bench itself",
                &format!("p50 {median}, p99 {p99}"),
            );
        }
        self.put(format_args!("</table></div>\n"));
    }

    fn row(&mut self, name: &str, value: &str) {
        self.put(format_args!(
            "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>\n",
            escaped(value)
        ));
    }

    fn errors(&mut self, results: &Results) {
        let troubles = &results.run.record.troubles;
        if troubles.is_empty() {
            return;
        }
        self.put(format_args!(
            "<section class=\"card bad\"><h2>Errors</h2>\n<table class=\"errors\">\n"
        ));
        for (kind, trouble) in troubles.iter() {
            self.put(format_args!(
                "<tr><td>{}</td><th scope=\"row\">{kind}</th><td>{}</td></tr>\n",
                count(trouble.count),
                escaped(&trouble.first)
            ));
        }
        self.put(format_args!("</table></section>\n"));
    }

    fn foot(&mut self, results: &Results) {
        // A line breaks between options rather than within them.
        let words = results.command.iter();
        let words: Vec<_> = words
            .map(|word| format!("<span>{}</span>", escaped(word)))
            .collect();
        self.put(format_args!(
            "<section class=\"card\"><h2>Run it again</h2>\n<pre>{}</pre></section>\n\
             <footer>framewire {}</footer>\n</main>\n</body>\n</html>\n",
            words.join(" "),
            env!("CARGO_PKG_VERSION"),
        ));
    }

    fn put(&mut self, html: fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(html);
    }
}

/// Returns a sentence on what was done.
fn what(results: &Results) -> String {
    let plan = &results.plan;
    let (connections, size) = (
        things(plan.connections as u64, "connection"),
        things(plan.size as u64, "byte"),
    );
    let kind = if plan.binary { "binary" } else { "text" };
    let measured = time(results.run.measured);
    match plan.pace {
        Pace::Closed(depth) => {
            let messages = things(depth as u64, &format!("{kind} message"));
            format!("{connections} with {messages} of {size} under way on each, for {measured}.")
        }
        Pace::Open(per_second) => format!(
            "{} {kind} messages a second of {size}, over {connections}, for {measured}.",
            rate(per_second)
        ),
    }
}

const STYLE: &str = include_str!("report/page.css");

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::page;
    use crate::bench::flight::Sent;
    use crate::bench::plan::{Pace, Plan, Window, example};
    use crate::bench::results::Results;
    use crate::bench::target::Agreed;
    use crate::bench::trouble::Kind;
    use crate::bench::verdict::tests::run;

    /// The results of a run in which all that comes from outside is this text, with so many answers.
    fn results(text: &str, pace: Pace, answers: u64) -> Results {
        let plan = Plan {
            duration: Duration::from_secs(1),
            ..example(1, 1, pace)
        };
        let (window, mut run) = (Window::new(0, &plan), run(&plan, &[]));
        for number in 0..answers {
            let sent = Sent {
                due: number * 1_000_000,
                at: number * 1_000_000,
            };
            run.record.send(&window, sent);
            run.record
                .answer(&window, sent, sent.at + 1_000 * number, 125, None);
        }
        run.record.troubles.add(Kind::Lost, text);
        run.agreed = Some(Agreed {
            redirected_to: Some(text.to_owned()),
            is_tls: true,
            compression: Some(text.to_owned()),
            subprotocol: Some(text.to_owned()),
        });
        Results {
            url: text.to_owned(),
            command: vec![text.to_owned()],
            date: std::time::UNIX_EPOCH,
            corrected: run.record.corrected(&window),
            warnings: vec![text.to_owned()],
            plan,
            run,
        }
    }

    #[test]
    fn a_hostile_url_is_no_part_of_the_page() {
        let url = "ws://a/\"'><img src=x onerror=alert(1)></title></style><script>";
        let page = page(&results(url, Pace::Closed(1), 10));
        for part in ["<img", "<script", "\"'>", "src=x onerror=alert(1)>"] {
            assert!(!page.contains(part), "{part}");
        }
        // In the title, the heading, the warning, three rows, the error and the command.
        assert_eq!(page.matches("&lt;img src=x").count(), 8);
    }

    #[test]
    fn there_is_a_page_of_any_run() {
        for pace in [Pace::Closed(3), Pace::Open(1.5)] {
            for answers in [0, 1, 2, 1000] {
                let page = page(&results("ws://a/", pace, answers));
                let plots = if answers == 0 { 0 } else { 4 };
                assert_eq!(page.matches("<svg").count(), plots);
                assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
            }
        }
    }
}
