//! Where a number lies on an axis, and which numbers are written there.

/// An axis: from which number to which it goes, and how.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    is_logarithmic: bool,
}

impl Scale {
    /// Returns an axis from `from` to `to`.
    pub(super) fn linear(from: f64, to: f64) -> Self {
        Self {
            from,
            to: if to > from { to } else { from + 1.0 },
            is_logarithmic: false,
        }
    }

    /// Returns an axis for numbers that are not negative, which ends at a round number: from 0, or logarithmic where
    /// the largest is far larger than the smallest.
    pub(super) fn of(least: f64, most: f64) -> Self {
        let least = least.max(1.0);
        if most > least * FAR {
            let (from, to) = (round_down(least), round_up(most));
            let is_logarithmic = true;
            return Self {
                from,
                to,
                is_logarithmic,
            };
        }
        Self::linear_to(most)
    }

    /// Returns an axis from 0 to a round number that is at least `most`.
    pub(super) fn linear_to(most: f64) -> Self {
        let most = most.max(LEAST);
        let step = step(most);
        Self::linear(0.0, (most / step).ceil() * step)
    }

    /// Returns where a number lies, from 0 to 1.
    pub(super) fn place(&self, number: f64) -> f64 {
        let place = if self.is_logarithmic {
            (number.max(self.from) / self.from).log10() / (self.to / self.from).log10()
        } else {
            (number - self.from) / (self.to - self.from)
        };
        place.clamp(0.0, 1.0)
    }

    /// Returns the round numbers of the axis, about five.
    pub(super) fn ticks(&self) -> Vec<f64> {
        if self.is_logarithmic {
            let decades = (self.to / self.from).log10();
            let digits: &[f64] = match decades {
                _ if decades < 2.1 => &[1.0, 2.0, 5.0],
                _ if decades < 3.1 => &[1.0, 3.0],
                _ => &[1.0],
            };
            let mut decade = decade(self.from);
            let mut ticks = Vec::new();
            while decade <= self.to * 1.001 {
                let numbers = digits.iter().map(|digit| digit * decade);
                ticks.extend(
                    numbers.filter(|tick| (self.from * 0.999..=self.to * 1.001).contains(tick)),
                );
                decade *= 10.0;
            }
            return ticks;
        }
        let step = step(self.to - self.from);
        let mut tick = (self.from / step).ceil() * step;
        let mut ticks = Vec::new();
        while tick <= self.to + step * 1e-6 {
            ticks.push(tick);
            tick += step;
        }
        ticks
    }
}

/// Returns a round number, of which four to eight make up `length`.
fn step(length: f64) -> f64 {
    let decade = decade(length / 4.0);
    let steps = [5.0, 2.0].map(|digit| digit * decade);
    let fitting = steps.into_iter().find(|step| length / step >= 4.0);
    fitting.unwrap_or(decade)
}

/// Returns the largest number of 1, 2 or 5 and zeros that is at most `number`.
fn round_down(number: f64) -> f64 {
    let decade = decade(number);
    let numbers = [5.0, 2.0].map(|digit| digit * decade);
    let fitting = numbers.into_iter().find(|round| *round <= number);
    fitting.unwrap_or(decade)
}

/// Returns the smallest number of 1, 2 or 5 and zeros that is at least `number`.
fn round_up(number: f64) -> f64 {
    let decade = decade(number);
    let numbers = [1.0, 2.0, 5.0].map(|digit| digit * decade);
    let fitting = numbers.into_iter().find(|round| *round >= number);
    fitting.unwrap_or(10.0 * decade)
}

/// Returns the largest power of ten that is at most `number`.
fn decade(number: f64) -> f64 {
    10.0_f64.powf(number.log10().floor())
}

/// How much larger the largest number is than the smallest where an axis is logarithmic.
const FAR: f64 = 20.0;

/// An axis is not shorter.
const LEAST: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::Scale;

    fn ticks(scale: Scale) -> String {
        let ticks = scale.ticks();
        let ticks: Vec<_> = ticks.iter().map(|tick| format!("{tick:.6}")).collect();
        let trimmed = ticks.iter().map(|tick| tick.trim_end_matches('0'));
        trimmed
            .map(|tick| tick.trim_end_matches('.'))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn axes_have_round_numbers() {
        assert_eq!(ticks(Scale::of(50.0, 96.0)), "0 20 40 60 80 100");
        assert_eq!(ticks(Scale::of(0.0, 7.0)), "0 1 2 3 4 5 6 7");
        assert_eq!(
            ticks(Scale::of(45.0, 1_300.0)),
            "20 50 100 200 500 1000 2000"
        );
        assert_eq!(
            ticks(Scale::of(45.0, 5_000_000.0)),
            "100 1000 10000 100000 1000000"
        );
        assert_eq!(
            ticks(Scale::linear(0.0, 0.3)),
            "0 0.05 0.1 0.15 0.2 0.25 0.3"
        );
    }

    #[test]
    fn every_number_lies_on_its_axis() {
        let scale = Scale::of(10.0, 1_000.0);
        for (number, place) in [
            (10.0, 0.0),
            (100.0, 0.5),
            (1_000.0, 1.0),
            (1e9, 1.0),
            (0.0, 0.0),
        ] {
            assert!((scale.place(number) - place).abs() < 1e-9, "{number}");
        }
        let nothing = Scale::of(0.0, 0.0);
        assert!(nothing.place(0.0).abs() < 1e-9 && nothing.ticks().len() > 1);
    }
}
