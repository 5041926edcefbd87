//! Results for programs.

use serde_json::{Value, json};

use super::latencies::{Latencies, QUANTILES};
use super::plan::{Pace, nanos};
use super::results::Results;

/// Returns the results as a JSON object. Times are in nanoseconds, but for those that say otherwise.
pub(crate) fn json(results: &Results) -> Value {
    let (plan, run, counts) = (&results.plan, &results.run, &results.run.record.counts);
    let (messages_per_second, bytes_per_second) = results.throughput();
    let agreed = run.agreed.as_ref();
    let errors = run.record.troubles.iter().map(|(kind, trouble)| {
        json!({
            "kind": kind.name(),
            "code": kind.code(),
            "count": trouble.count,
            "first": trouble.first,
        })
    });
    let threads = run
        .busy
        .iter()
        .map(|busy| json!({ "busy": busy.running, "waited_for_a_core": busy.waiting }));
    let slices = results.slices().map(|(start, length, slice)| {
        json!({
            "start_seconds": start.as_secs_f64(),
            "seconds": length.as_secs_f64(),
            "messages": slice.answers,
            "bytes": slice.bytes,
            "p50": slice.latencies.quantile(0.5).map(nanos),
            "p99": slice.latencies.quantile(0.99).map(nanos),
        })
    });
    let (depth, rate) = match plan.pace {
        Pace::Closed(depth) => (Some(depth), None),
        Pace::Open(rate) => (None, Some(rate)),
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "date": humantime::format_rfc3339_seconds(results.date).to_string(),
        "url": results.url,
        "command": results.command.join(" "),
        "options": {
            "connections": plan.connections,
            "threads": plan.threads,
            "depth": depth,
            "rate": rate,
            "size": plan.size,
            "binary": plan.binary,
            "warm_up_seconds": plan.warm_up.as_secs_f64(),
            "duration_seconds": plan.duration.as_secs_f64(),
        },
        "connections": {
            "opened": run.connected,
            "redirected_to": agreed.and_then(|agreed| agreed.redirected_to.as_ref()),
            "tls": agreed.is_some_and(|agreed| agreed.is_tls),
            "compression": agreed.and_then(|agreed| agreed.compression.as_ref()),
            "subprotocol": agreed.and_then(|agreed| agreed.subprotocol.as_ref()),
            "connecting": distribution(&run.record.connecting),
        },
        "measured_seconds": run.measured.as_secs_f64(),
        "interrupted": run.was_interrupted,
        "messages_per_second": messages_per_second,
        "bytes_per_second": bytes_per_second,
        "messages": {
            "sent": counts.sent,
            "answered": counts.answered,
            "wrong": counts.wrong,
            "unanswered": counts.unanswered(),
            "unsent": counts.unsent,
            "unsent_by_lack_of_time": counts.missed,
            "unsent_by_lack_of_connection": counts.unconnected,
            "before_the_first": counts.greetings,
        },
        "latency": {
            "corrected": distribution(&results.corrected),
            "measured": distribution(results.measured()),
        },
        "errors": errors.collect::<Value>(),
        "bench": {
            "warnings": results.warnings,
            "threads": threads.collect::<Value>(),
            "late": distribution(&run.record.lateness),
        },
        "over_time": slices.collect::<Value>(),
    })
}

fn distribution(latencies: &Latencies) -> Value {
    let quantiles = QUANTILES.map(|(name, share)| {
        let value = latencies.quantile(share).map(nanos);
        (name.replace('.', "_"), json!(value))
    });
    let mut values: serde_json::Map<_, _> = quantiles.into_iter().collect();
    values.extend([
        ("count".to_owned(), json!(latencies.count())),
        ("min".to_owned(), json!(latencies.min().map(nanos))),
        ("mean".to_owned(), json!(latencies.mean().map(nanos))),
        ("max".to_owned(), json!(latencies.max().map(nanos))),
    ]);
    Value::Object(values)
}
