//! Short texts about answers.

use crate::{
    components::format::{self, Figure},
    model::{
        dashboard::WidgetKind,
        query::{Aggregation, Resolution, Rollup},
    },
};

/// "raw", "raw, 5 s steps", "1m rollup", "1m rollup, 10 min steps". Only charts have steps.
pub fn resolution(resolution: Resolution, kind: WidgetKind) -> String {
    let source = match resolution.from {
        Rollup::Raw => "raw".to_owned(),
        rollup => format!("{} rollup", rollup.label()),
    };
    let own_step = match resolution.from {
        Rollup::Raw => 0,
        Rollup::Minute => 60_000,
        Rollup::Hour => 3_600_000,
        Rollup::Day => 86_400_000,
    };
    let steps = matches!(kind, WidgetKind::Line | WidgetKind::Bar);
    if !steps || resolution.bucket_ms == own_step {
        return source;
    }
    let step = format::duration_ms(resolution.bucket_ms.unsigned_abs());
    format!("{source}, {step} steps")
}

/// A value as its query means it: a count has neither the metric's unit nor its decimals.
pub fn figure(value: f64, agg: Aggregation, unit: Option<&str>, decimals: Option<u8>) -> Figure {
    match agg {
        Aggregation::Count => format::value(value, None, Some(0)),
        _ => format::value(value, unit, decimals),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolution_says_its_source_and_its_step() {
        let of = |bucket_ms, from| resolution(Resolution { bucket_ms, from }, WidgetKind::Line);
        assert_eq!(of(0, Rollup::Raw), "raw");
        assert_eq!(of(5_000, Rollup::Raw), "raw, 5 s steps");
        assert_eq!(of(60_000, Rollup::Minute), "1m rollup");
        assert_eq!(of(600_000, Rollup::Minute), "1m rollup, 10 min steps");
        let table = Resolution {
            bucket_ms: 7,
            from: Rollup::Hour,
        };
        assert_eq!(resolution(table, WidgetKind::Table), "1h rollup");
    }

    #[test]
    fn a_count_is_whole_and_without_unit() {
        let of = |agg| figure(297.0, agg, Some("km"), Some(1)).to_string();
        assert_eq!(of(Aggregation::Count), "297");
        assert_eq!(of(Aggregation::Max), "297.0 km");
    }
}
