//! What a row of the table says.

use serde::Serialize;

/// What holds when an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Durability {
    /// In memory alone: a crash of the process loses it.
    D0,
    /// Written to the kernel, not flushed: a crash of the machine loses it.
    D1,
    /// Flushed to disk (fdatasync).
    D2,
    /// In the object store.
    D3,
    /// Nothing is stored: computing or reading.
    #[serde(rename = "-")]
    None,
}

impl Durability {
    pub fn label(self) -> &'static str {
        match self {
            Self::D0 => "D0",
            Self::D1 => "D1",
            Self::D2 => "D2",
            Self::D3 => "D3",
            Self::None => "-",
        }
    }
}

/// Whether more is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    Higher,
    Lower,
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// The figure itself, in the row's unit.
    Figure(f64),
    /// The figure divided by the reference's of the same run.
    Ratio(f64),
}

/// One figure, measured in several interleaved runs, beside the reference's of the same runs.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// As `ROW=` names it; several lines of the table may have the same.
    pub row: &'static str,
    /// What is measured, in a few words.
    pub what: String,
    pub unit: &'static str,
    pub better: Better,
    pub durability: Durability,
    /// A figure of each run, in the order of the runs.
    pub runs: Vec<f64>,
    pub reference: Option<Reference>,
    pub goal: Option<Goal>,
    /// How it was measured, and what else was seen.
    pub notes: Vec<String>,
    /// What the figure does not contain, or flatters.
    pub left_out: Vec<String>,
}

/// Somebody else, or the least code that does the same kind of work, with the same data.
#[derive(Clone, Debug, Serialize)]
pub struct Reference {
    pub what: String,
    pub durability: Durability,
    pub runs: Vec<f64>,
}

impl Row {
    /// The median of the runs.
    pub fn figure(&self) -> Option<f64> {
        median(&self.runs)
    }

    /// The figure divided by the reference's.
    pub fn ratio(&self) -> Option<f64> {
        let other = median(&self.reference.as_ref()?.runs)?;
        (other != 0.0).then_some(self.figure()? / other)
    }

    /// Whether the goal is reached; nothing without a goal or without a figure to hold to it.
    pub fn reached(&self) -> Option<bool> {
        let (found, wanted) = match self.goal? {
            Goal::Figure(wanted) => (self.figure()?, wanted),
            Goal::Ratio(wanted) => (self.ratio()?, wanted),
        };
        Some(match self.better {
            Better::Higher => found >= wanted,
            Better::Lower => found <= wanted,
        })
    }
}

/// Of an even number of figures the mean of the middle two; nothing of none.
pub fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The distance of the lowest and the highest figure, as a share of the median.
pub fn spread(figures: &[f64]) -> Option<f64> {
    let middle = median(figures).filter(|m| *m != 0.0)?;
    let low = figures.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figures.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some((high - low) / middle.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(runs: &[f64], reference: &[f64], better: Better, goal: Option<Goal>) -> Row {
        Row {
            row: "test",
            what: String::new(),
            unit: "events/s",
            better,
            durability: Durability::D2,
            runs: runs.to_vec(),
            reference: Some(Reference {
                what: String::new(),
                durability: Durability::D0,
                runs: reference.to_vec(),
            }),
            goal,
            notes: Vec::new(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
        assert_eq!(spread(&[9.0, 10.0, 12.0]), Some(0.3));
        assert_eq!(spread(&[]), None);
    }

    #[test]
    fn a_goal_is_held_to_the_figure_or_to_the_ratio() {
        let reached = |better, goal| row(&[10.0, 30.0, 20.0], &[10.0, 10.0, 10.0], better, Some(goal)).reached();
        assert_eq!(reached(Better::Higher, Goal::Figure(20.0)), Some(true));
        assert_eq!(reached(Better::Higher, Goal::Figure(20.1)), Some(false));
        assert_eq!(reached(Better::Lower, Goal::Figure(20.1)), Some(true));
        assert_eq!(reached(Better::Higher, Goal::Ratio(2.0)), Some(true));
        assert_eq!(reached(Better::Higher, Goal::Ratio(2.1)), Some(false));
        assert_eq!(row(&[], &[1.0], Better::Higher, Some(Goal::Ratio(1.0))).reached(), None);
        assert_eq!(row(&[1.0], &[], Better::Higher, Some(Goal::Ratio(1.0))).reached(), None);
    }
}
