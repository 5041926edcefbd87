//! Medians, and how far samples lie around them.

/// A median, and the noise: half the distance between the first and the third quartile, or of fewer than five samples
/// half that between the least and the most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) noise: f64,
}

impl Summary {
    /// Summarises samples. Returns `None` where there are none, or one is not a number.
    pub(crate) fn of(samples: &[f64]) -> Option<Self> {
        if samples.is_empty() || samples.iter().any(|sample| !sample.is_finite()) {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quartile(&sorted, 2),
            noise: match &sorted[..] {
                [least, .., most] if sorted.len() < 5 => (most - least) / 2.0,
                _ => (quartile(&sorted, 3) - quartile(&sorted, 1)) / 2.0,
            },
        })
    }

    pub(crate) fn exactly(median: f64) -> Self {
        Self { median, noise: 0.0 }
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self {
            median: self.median * factor,
            noise: self.noise * factor,
        }
    }

    pub(crate) fn plus(self, constant: f64) -> Self {
        Self {
            median: self.median + constant,
            ..self
        }
    }

    /// Raises the noise to a share of the median.
    pub(crate) fn with_noise_of_at_least(self, share: f64) -> Self {
        Self {
            noise: self.noise.max(self.median.abs() * share),
            ..self
        }
    }

    pub(crate) fn low(self) -> f64 {
        self.median - self.noise
    }

    pub(crate) fn high(self) -> f64 {
        self.median + self.noise
    }
}

/// Returns the value below which a number of quarters of the samples lies, between two of them where it falls there.
fn quartile(sorted: &[f64], quarters: usize) -> f64 {
    let place = quarters * (sorted.len() - 1);
    let (below, above) = (sorted[place / 4], sorted[place.div_ceil(4)]);
    below + (above - below) * (place % 4) as f64 / 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_samples_have_all_of_their_range_as_noise() {
        let summary = Summary::of(&[4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!(
            summary,
            Summary {
                median: 2.5,
                noise: 1.5
            }
        );
    }

    #[test]
    fn the_noise_is_half_the_distance_of_the_quartiles() {
        let summary = Summary::of(&[5.0, 1.0, 2.0, 4.0, 3.0]).unwrap();
        assert_eq!(
            summary,
            Summary {
                median: 3.0,
                noise: 1.0
            }
        );
    }

    #[test]
    fn one_outlier_moves_neither() {
        let summary = Summary::of(&[1.0, 1.0, 1.0, 1.0, 900.0]).unwrap();
        assert_eq!(summary, Summary::exactly(1.0));
    }

    #[test]
    fn nothing_has_no_summary() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[1.0, f64::NAN]), None);
    }
}
