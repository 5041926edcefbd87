//! Whether memory is flat.

use anyhow::{Context as _, Result, ensure};

/// Returns by how many KiB memory has grown since the warm-up, given that at each quiet point.
///
/// # Errors
/// The memory at the end is more than that after the warm-up and the limit. So is, with half the limit, the mean of
/// the later half of the quiet points compared with that of the earlier half, which is how a steady growth shows
/// where the last point happens to be low. Where there are two quiet points after the warm-up, half the limit is for
/// these: a short run has less time to grow.
pub(super) fn growth(memory: &[i32]) -> Result<i32> {
    let measured = &memory[warm_up(memory.len())..];
    let (first, last) = measured
        .first()
        .zip(measured.last())
        .context("no quiet point")?;
    let grown = last - first;
    let most = (first / 20).max(LEAST);
    ensure!(
        grown <= most,
        "memory grew by {grown} KiB, and {most} are allowed: {memory:?}"
    );
    let (earlier, later) = measured.split_at(measured.len() / 2);
    let trend = mean(later) - mean(earlier);
    ensure!(
        earlier.is_empty() || trend <= most / 2,
        "memory grew by {trend} KiB from one half of the time to the other, and {} are allowed: {memory:?}",
        most / 2
    );
    Ok(grown)
}

/// Returns how many of so many quiet points belong to the warm-up.
fn warm_up(points: usize) -> usize {
    points.div_ceil(4)
}

fn mean(memory: &[i32]) -> i32 {
    let count = i32::try_from(memory.len()).unwrap_or(i32::MAX);
    memory.iter().sum::<i32>() / count.max(1)
}

/// 1 MiB: more than the holes in an allocator's heap become in an hour.
const LEAST: i32 = 1 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i32 = 1 << 10;

    #[test]
    fn what_comes_and_goes_is_flat_and_the_warm_up_does_not_count() {
        let memory = [1, 9, 9, 10, 9, 9, 10, 9].map(|mib| mib * MIB);
        assert_eq!(growth(&memory).unwrap(), 0);
    }

    #[test]
    fn a_step_at_the_end_and_a_steady_growth_are_not_flat() {
        let step = [9, 9, 9, 9, 9, 9, 9, 12].map(|mib| mib * MIB);
        assert!(growth(&step).is_err());
        let steady = [9, 9, 9, 10, 11, 12, 13, 10].map(|mib| mib * MIB);
        assert!(growth(&steady).is_err());
    }

    #[test]
    fn of_two_quiet_points_the_second_has_half_the_limit() {
        assert_eq!(growth(&[MIB, 9 * MIB, 9 * MIB + 512]).unwrap(), 512);
        assert!(growth(&[MIB, 9 * MIB, 9 * MIB + 513]).is_err());
        assert!(growth(&[MIB, 100 * MIB, 102 * MIB + 512]).is_ok());
        assert!(growth(&[MIB, 100 * MIB, 102 * MIB + 513]).is_err());
    }

    #[test]
    fn one_quiet_point_is_none_to_compare_with() {
        assert_eq!(growth(&[MIB, MIB]).unwrap(), 0);
        assert!(growth(&[]).is_err());
    }
}
