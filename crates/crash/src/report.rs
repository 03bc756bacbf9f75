//! What people read while it runs, and the table at the end.

use std::{io::Write, time::Duration};

/// From the start of the process, or from the end of the fault where the server ran on.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// To the first 202.
    pub first_ack: Duration,
    /// To a backlog that is drained, once the senders were held.
    pub drained: Duration,
}

/// What came of a round.
pub struct Row {
    pub fault: &'static str,
    pub note: String,
    /// Nothing where it was skipped, or failed before there was any.
    pub times: Option<Times>,
    /// Events that were acknowledged during the round.
    pub acked: u64,
    pub verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    Skipped,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// To standard output; who closed it does not want to know.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One line about a round.
pub fn line(number: usize, row: &Row) -> String {
    let seconds = |d: fn(&Times) -> Duration| match &row.times {
        Some(times) => format!("{:.2}", d(times).as_secs_f64()),
        None => "-".into(),
    };
    format!(
        "{number:>3}  {:<18} {:>10} {:>10} {:>9}  {:<7}  {}",
        row.fault,
        row.acked,
        seconds(|t| t.first_ack),
        seconds(|t| t.drained),
        row.verdict.word(),
        row.note
    )
}

pub const HEAD: &str = "  #  fault                   acked    202 [s]  done [s]  result   ";

/// Times and events by fault.
pub fn summary(rows: &[Row]) -> String {
    let mut faults: Vec<&str> = Vec::new();
    for row in rows {
        if !faults.contains(&row.fault) {
            faults.push(row.fault);
        }
    }
    let mut text = format!(
        "{:<18} {:>5} {:>6} {:>10}  {:>7} {:>7} {:>7}  {:>7} {:>7} {:>7}\n{:<18} {:>5} {:>6} {:>10}  {:>23}  {:>23}\n",
        "",
        "",
        "",
        "",
        "median",
        "mean",
        "most",
        "median",
        "mean",
        "most",
        "fault",
        "runs",
        "passed",
        "acked",
        "to the first 202 [s]",
        "to a drained backlog [s]"
    );
    for fault in faults {
        let of: Vec<&Row> = rows.iter().filter(|r| r.fault == fault).collect();
        let passed = of.iter().filter(|r| r.verdict == Verdict::Passed).count();
        let acked: u64 = of.iter().map(|r| r.acked).sum();
        let spread = |d: fn(&Times) -> Duration| {
            let seconds: Vec<f64> = of
                .iter()
                .filter_map(|r| r.times.as_ref())
                .map(|t| d(t).as_secs_f64())
                .collect();
            spread(seconds)
        };
        text += &format!(
            "{fault:<18} {:>5} {passed:>6} {acked:>10}  {}  {}\n",
            of.len(),
            spread(|t| t.first_ack),
            spread(|t| t.drained)
        );
    }
    text
}

/// Median, mean and maximum.
fn spread(mut seconds: Vec<f64>) -> String {
    seconds.sort_by(f64::total_cmp);
    let Some(most) = seconds.last() else {
        return format!("{:>7} {:>7} {:>7}", "-", "-", "-");
    };
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let median = f64::midpoint(seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
    format!("{median:>7.2} {mean:>7.2} {most:>7.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 9.0]), "   3.00    4.00    9.00");
        assert_eq!(spread(vec![]), "      -       -       -");
    }
}
