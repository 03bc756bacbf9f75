//! The table for the documentation: ratios, which hold on other machines as well, and no figures.

use super::{goal, left_out, number, reached};
use crate::{
    row::{Durability, Goal, Row},
    run::Measured,
};

pub(super) fn render(measured: &Measured) -> String {
    let mut text = String::from(
        "| row | what | durability | beside | ratio | goal | of the goal | reached |\n\
         |---|---|---|---|---:|---|---:|---|\n",
    );
    for row in &measured.rows {
        text.push_str(&line(row));
    }
    for failed in &measured.failed {
        text.push_str(&format!("| {} | not measured | | | | | | |\n", failed.row));
    }
    text.push_str(
        "\n`of the goal`: the figure divided by the one that is to be reached, on the machine above.\n\nLeft out:\n\n",
    );
    for (row, what) in left_out(&measured.rows) {
        text.push_str(&format!("- {row}: {what}\n"));
    }
    text
}

fn line(row: &Row) -> String {
    let of_the_goal = match row.goal {
        Some(Goal::Figure(wanted)) => row.figure().map(|found| found / wanted),
        Some(Goal::Ratio(wanted)) => row.ratio().map(|found| found / wanted),
        None => None,
    };
    let beside = row.reference.as_ref().map_or(String::new(), |r| match r.durability {
        Durability::None => r.what.clone(),
        known => format!("{} ({})", r.what, known.label()),
    });
    let unit = match row.goal {
        Some(Goal::Figure(_)) => format!(" {}", row.unit),
        _ => String::new(),
    };
    let cell = |text: String| text.replace('|', "\\|").replace('\n', " ");
    let cells = [
        row.row.to_owned(),
        row.what.clone(),
        row.durability.label().to_owned(),
        beside,
        row.ratio().map_or(String::new(), |r| number(Some(r))),
        row.goal.map_or(String::new(), |_| goal(row) + &unit),
        of_the_goal.map_or(String::new(), |r| number(Some(r))),
        reached(row).to_owned(),
    ]
    .map(cell);
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::measured;

    #[test]
    fn it_tells_ratios_and_no_figures() {
        let mut measured = measured();
        measured.rows[1].goal = Some(Goal::Figure(200_000.0));
        let text = render(&measured);
        assert!(text.contains(
            "| ingest | events acknowledged a second and core | D2 | InfluxDB 1.6, line protocol over HTTP (D2) | 1.58 | >= 1.00 x | 1.58 | yes |"
        ));
        assert!(text.contains("| 1.58 | >= 200,000 events/s | 0.790 | no |"));
        assert!(!text.contains("158,000"));
        assert!(text.contains("- ingest: TLS"));
        assert!(text.contains("| single | not measured |"));
    }
}
