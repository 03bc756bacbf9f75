//! Quantiles of a handful of times.

/// The smallest of `sorted` that at least a share `q` of them does not exceed; nothing of none.
fn of_sorted(sorted: &[f64], q: f64) -> Option<f64> {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// The quantile `q` (0 to 1) of some figures, of which each was seen: with few of them the 99th percentile is the greatest.
pub fn quantile(figures: &[f64], q: f64) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    of_sorted(&sorted, q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_figures() {
        let figures: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(quantile(&figures, 0.5), Some(100.0));
        assert_eq!(quantile(&figures, 0.99), Some(198.0));
        assert_eq!(quantile(&figures, 1.0), Some(200.0));
        assert_eq!(quantile(&[3.0, 1.0], 0.99), Some(3.0));
        assert_eq!(quantile(&[3.0, 1.0], 0.0), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
    }
}
