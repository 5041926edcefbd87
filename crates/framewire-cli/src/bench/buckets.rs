//! The bars of a histogram: times between bounds that people can read.

use super::latencies::Latencies;

/// How many times lie between two bounds, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(crate) from: u64,
    /// The first nanosecond that is not in it.
    pub(crate) to: u64,
    pub(crate) count: u64,
}

/// Returns the buckets of all times, at most `most` of them. The bounds are round numbers: with the same distance from
/// each other where all times are much the same, and else with the same ratio, more or less.
pub(crate) fn buckets(latencies: &Latencies, most: usize) -> Vec<Bucket> {
    let (Some(first), Some(last)) = (latencies.values().next(), latencies.values().last()) else {
        return Vec::new();
    };
    let bounds = bounds(first.0, last.0, most);
    let mut buckets: Vec<_> = bounds
        .windows(2)
        .map(|pair| Bucket {
            from: pair[0],
            to: pair[1],
            count: 0,
        })
        .collect();
    let mut at = 0;
    for (value, count) in latencies.values() {
        while at + 1 < buckets.len() && value >= buckets[at].to {
            at += 1;
        }
        buckets[at].count += count;
    }
    buckets
}

/// Returns bounds of which the first is at most `min`, and the last is over `max`: two or more, and `most` and one at
/// most.
fn bounds(min: u64, max: u64, most: usize) -> Vec<u64> {
    if max < min.saturating_mul(2) || max < 10 {
        let steps = (0..).flat_map(|zeros| [1, 2, 5].map(|digit: u64| digit * 10_u64.pow(zeros)));
        for step in steps.take(MOST_STEPS) {
            let (first, last) = (min / step, max / step + 1);
            if last - first <= most as u64 {
                return (first..=last).map(|bound| bound * step).collect();
            }
        }
    }
    for series in SERIES {
        let bounds = bounds_of(series, min, max);
        if bounds.len() <= most + 1 {
            return bounds;
        }
    }
    vec![min, max.saturating_add(1)]
}

/// Returns the numbers of a series, with any number of zeros, from the last that is at most `min` to the first that is
/// over `max`.
fn bounds_of(series: &[u64], min: u64, max: u64) -> Vec<u64> {
    let decades = (0..MOST_DECADES).map(|zeros| 10_u64.pow(zeros));
    // The series have a digit more than the numbers that they stand for.
    let numbers = decades.flat_map(|decade| series.iter().map(move |digits| digits * decade / 10));
    let mut bounds = vec![0];
    for number in numbers {
        if number <= min {
            bounds[0] = number;
        } else if bounds.last() != Some(&number) {
            bounds.push(number);
            if number > max {
                break;
            }
        }
    }
    bounds
}

/// How many round numbers there are in a decade, from many to few.
const SERIES: [&[u64]; 5] = [
    &[
        10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30, 33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82,
        91,
    ],
    &[10, 12, 15, 18, 22, 27, 33, 39, 47, 56, 68, 82],
    &[10, 15, 20, 30, 50, 70],
    &[10, 20, 50],
    &[10],
];

/// Up to 1, 2 and 5 with 17 zeros.
const MOST_STEPS: usize = 3 * 18;
/// Up to 10^18 ns, which is 30 years.
const MOST_DECADES: u32 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_round_and_not_too_many() {
        assert_eq!(
            bounds(1_040, 1_090, 6),
            [1_040, 1_050, 1_060, 1_070, 1_080, 1_090, 1_100]
        );
        assert_eq!(bounds(40, 900, 6), [20, 50, 100, 200, 500, 1_000]);
        assert_eq!(
            bounds(40, 900, 10),
            [30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000]
        );
        assert_eq!(bounds(0, 3, 10), [0, 1, 2, 3, 4]);
        assert_eq!(bounds(5, 5, 1), [5, 6]);
    }

    #[test]
    fn every_time_is_in_one_bucket() {
        for (min, max) in [
            (0, 0),
            (1, 1),
            (0, 5_000_000_000),
            (95_000, 96_000),
            (1, 1 << 50),
        ] {
            let mut latencies = Latencies::new(3).unwrap();
            for number in 0..=100 {
                latencies.record(min + (max - min) / 100 * number);
            }
            for most in [1, 5, 18, 60] {
                let buckets = buckets(&latencies, most);
                assert!((1..=most).contains(&buckets.len()), "{most}: {buckets:?}");
                let count: u64 = buckets.iter().map(|bucket| bucket.count).sum();
                assert_eq!(count, 101);
                assert!(buckets.windows(2).all(|pair| pair[0].to == pair[1].from));
                let (first, last) = (buckets[0].from, buckets[buckets.len() - 1].to);
                // To the precision of the distribution.
                assert!(first <= min + min / 500 && max < last + last / 500);
            }
        }
        assert_eq!(buckets(&Latencies::new(3).unwrap(), 5), []);
    }
}
