//! The plots of the page.

use std::time::Duration;

use super::plot::{Plot, Stroke, figure};
use super::scale::Scale;
use crate::bench::buckets::buckets;
use crate::bench::figures::{percent, rate, time, time_or_none};
use crate::bench::latencies::Latencies;
use crate::bench::results::Results;

/// Returns all plots for which there is something to show.
pub(super) fn all(results: &Results) -> Vec<String> {
    if results.corrected.count() == 0 {
        return Vec::new();
    }
    vec![
        percentiles(results),
        histogram(results),
        throughput(results),
        latency_over_time(results),
    ]
}

/// The latency that a share of the messages is not over, with more and more room for fewer and fewer.
#[expect(clippy::cast_precision_loss, reason = "a plot needs few digits")]
fn percentiles(results: &Results) -> String {
    let (corrected, measured) = (&results.corrected, results.measured());
    // One message of a thousand is the last that 99.9 % say anything about.
    let nines = (corrected.count() as f64).log10().clamp(1.0, MOST_NINES);
    let points = |latencies: &Latencies| {
        let steps = (0..=POINTS).map(|step| nines * f64::from(step) / f64::from(POINTS));
        let point = |place: f64| (place, latencies.quantile(share(place)).map(nanos));
        steps.map(point).collect::<Vec<_>>()
    };
    let (corrected_line, measured_line) = (points(corrected), points(measured));
    let all = || corrected_line.iter().chain(&measured_line);
    let y = scale(all().filter_map(|(_, nanos)| *nanos));
    let mut plot = Plot::new("Latency by percentile", Scale::linear(0.0, nines), y);
    plot.vertical_axis(time_of);
    let names = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999];
    let ticks =
        names.map(|percent: f64| (-(1.0 - percent / 100.0).log10(), format!("{percent} %")));
    plot.horizontal_axis(
        ticks
            .into_iter()
            .filter(|(place, _)| *place <= nines + 1e-6),
    );
    plot.line(Stroke::Second, &measured_line);
    plot.line(Stroke::Main, &corrected_line);
    plot.legend(&[(Stroke::Main, "corrected"), (Stroke::Second, "measured")]);
    let half = nines / f64::from(POINTS) / 2.0;
    for ((place, corrected), (_, measured)) in corrected_line.iter().zip(&measured_line) {
        let [corrected, measured] =
            [corrected, measured].map(|nanos| nanos.map_or("–".to_owned(), time_of));
        let percent = share(*place) * 100.0;
        let title = format!("{percent:.3} %: {corrected} corrected, {measured} measured");
        plot.hint((place - half, place + half), &title);
    }
    figure(
        "Latency by percentile",
        "Across: a share of the messages. Up: the time within which that share was answered.",
        plot,
    )
}

/// How many messages took how long.
#[expect(clippy::cast_precision_loss, reason = "a plot needs few digits")]
fn histogram(results: &Results) -> String {
    let latencies = &results.corrected;
    let (buckets, total) = (buckets(latencies, MOST_BARS), latencies.count());
    let share = |count: u64| count as f64 * 100.0 / total.max(1) as f64;
    let most = buckets.iter().map(|bucket| bucket.count).max();
    let x = Scale::linear(0.0, buckets.len() as f64);
    let y = Scale::linear_to(share(most.unwrap_or(0)));
    let mut plot = Plot::new("How many messages took how long", x, y);
    plot.vertical_axis(|percent| format!("{} %", rate(percent)));
    for (place, bucket) in buckets.iter().enumerate() {
        let place = place as f64;
        let (from, to) = (nanos_of(bucket.from), nanos_of(bucket.to));
        let part = percent(bucket.count, total);
        let title = format!("{part} took {from} to {to}");
        plot.bar((place, place + 1.0), share(bucket.count), &title);
    }
    let every = buckets.len().div_ceil(5).max(1);
    let bounds = buckets.iter().map(|bucket| bucket.from);
    let bounds = bounds.chain(buckets.last().map(|bucket| bucket.to));
    let ticks = bounds.enumerate().step_by(every);
    plot.horizontal_axis(ticks.map(|(place, bound)| (place as f64, nanos_of(bound))));
    figure(
        "How many took how long",
        "Across: the corrected latency. Up: the share of the messages that took this long.",
        plot,
    )
}

/// How many answers came in each second.
#[expect(clippy::cast_precision_loss, reason = "a plot needs few digits")]
fn throughput(results: &Results) -> String {
    let per_second = |answers: u64, length: Duration| answers as f64 / length.as_secs_f64();
    let slices: Vec<_> = results
        .slices()
        .map(|(start, length, slice)| (start, length, per_second(slice.answers, length)))
        .collect();
    let most = slices.iter().map(|slice| slice.2).fold(0.0, f64::max);
    let mut plot = Plot::new(
        "Messages a second over time",
        times(results),
        Scale::linear_to(most),
    );
    plot.vertical_axis(short);
    let points: Vec<_> = slices
        .iter()
        .map(|(start, length, rate)| (middle(*start, *length), Some(*rate)))
        .collect();
    plot.area(&points);
    plot.line(Stroke::Main, &points);
    plot.horizontal_axis(seconds(results));
    for (start, length, per_second) in &slices {
        let title = format!(
            "{}: {} messages/s",
            span(*start, *length),
            rate(*per_second)
        );
        plot.hint(ends(*start, *length), &title);
    }
    figure(
        "Messages a second",
        "Answers received per second, from the end of the warm-up.",
        plot,
    )
}

/// How long the answers took that came at a time.
fn latency_over_time(results: &Results) -> String {
    let points = |share: f64| {
        let slices = results.slices();
        let points = slices.map(|(start, length, slice)| {
            let latency = slice.latencies.quantile(share);
            (middle(start, length), latency.map(nanos))
        });
        points.collect::<Vec<_>>()
    };
    let (median, p99) = (points(0.5), points(0.99));
    let y = scale(median.iter().chain(&p99).filter_map(|(_, nanos)| *nanos));
    let mut plot = Plot::new("Latency over time", times(results), y);
    plot.vertical_axis(time_of);
    plot.horizontal_axis(seconds(results));
    plot.line(Stroke::Second, &median);
    plot.line(Stroke::Main, &p99);
    plot.legend(&[(Stroke::Main, "p99"), (Stroke::Second, "p50")]);
    for (start, length, slice) in results.slices() {
        let quantiles = [0.5, 0.99].map(|share| time_or_none(slice.latencies.quantile(share)));
        let [median, p99] = quantiles;
        let title = format!("{}: p50 {median}, p99 {p99}", span(start, length));
        plot.hint(ends(start, length), &title);
    }
    figure(
        "Latency over time",
        "Median and 99th percentile of the answers received at each time, counted from when their messages were due.",
        plot,
    )
}

/// Returns an axis for times.
fn scale(nanos: impl Iterator<Item = f64> + Clone) -> Scale {
    let least = nanos.clone().fold(f64::INFINITY, f64::min);
    let most = nanos.fold(0.0, f64::max);
    Scale::of(if least.is_finite() { least } else { 0.0 }, most)
}

/// Returns the share that so many nines stand for: 0.99 for 2.
fn share(nines: f64) -> f64 {
    1.0 - 10.0_f64.powf(-nines)
}

/// Returns the axis for the time of the run.
fn times(results: &Results) -> Scale {
    Scale::linear(0.0, results.run.measured.as_secs_f64())
}

fn seconds(results: &Results) -> impl Iterator<Item = (f64, String)> {
    let ticks = times(results).ticks().into_iter();
    ticks.map(|tick| (tick, format!("{} s", (tick * 1000.0).round() / 1000.0)))
}

fn ends(start: Duration, length: Duration) -> (f64, f64) {
    (start.as_secs_f64(), (start + length).as_secs_f64())
}

fn middle(start: Duration, length: Duration) -> f64 {
    (start + length / 2).as_secs_f64()
}

fn span(start: Duration, length: Duration) -> String {
    let (from, to) = ends(start, length);
    format!("{from:.1} to {to:.1} s")
}

/// Returns a number with its thousands as `k` and its millions as `M`.
fn short(number: f64) -> String {
    match number {
        _ if number >= 1e6 => format!("{}M", rate(number / 1e6)),
        _ if number >= 1e4 => format!("{}k", rate(number / 1e3)),
        _ => rate(number),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a plot needs few digits")]
fn nanos(time: Duration) -> f64 {
    time.as_nanos() as f64
}

#[expect(clippy::cast_sign_loss, reason = "times are not negative")]
fn time_of(nanos: f64) -> String {
    if nanos < 0.5 {
        return "0".to_owned();
    }
    time(Duration::from_nanos(nanos.round() as u64))
}

fn nanos_of(nanos: u64) -> String {
    time(Duration::from_nanos(nanos))
}

const POINTS: u32 = 120;
/// Up to 99.999 %.
const MOST_NINES: f64 = 5.0;
const MOST_BARS: usize = 40;
