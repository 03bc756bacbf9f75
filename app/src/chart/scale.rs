//! One unit for a whole axis. Axis labels are templates, not functions: so the values are brought to the unit.

/// What values are divided by, and how they are written then.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    pub divisor: f64,
    /// Behind the number, with the space it needs.
    pub suffix: String,
    pub decimals: Option<u8>,
}

impl Scale {
    /// The scale for values up to `max` (absolute), in the units that [`crate::components::format::value`] knows.
    pub fn of(unit: Option<&str>, max: f64, decimals: Option<u8>) -> Self {
        const BYTES: [(f64, &str); 6] = [
            (1.0, "B"),
            (1024.0, "KiB"),
            (1_048_576.0, "MiB"),
            (1_073_741_824.0, "GiB"),
            (1_099_511_627_776.0, "TiB"),
            (1_125_899_906_842_624.0, "PiB"),
        ];
        const MILLIS: [(f64, &str); 5] = [
            (1.0, "ms"),
            (1_000.0, "s"),
            (60_000.0, "min"),
            (3_600_000.0, "h"),
            (86_400_000.0, "d"),
        ];
        let pick = |steps: &[(f64, &str)], max: f64, per: &str| {
            let step = steps.iter().rev().find(|s| s.0 <= max).unwrap_or(&steps[0]);
            (step.0, format!(" {}{per}", step.1))
        };
        let (divisor, suffix) = match unit.unwrap_or_default() {
            "B" | "byte" | "bytes" => pick(&BYTES, max, ""),
            "B/s" | "bytes/s" => pick(&BYTES, max, "/s"),
            "ms" | "milliseconds" => pick(&MILLIS, max, ""),
            "s" | "seconds" => {
                let (divisor, suffix) = pick(&MILLIS, max * 1_000.0, "");
                (divisor / 1_000.0, suffix)
            }
            "%" | "percent" => (1.0, "%".into()),
            "" => (1.0, String::new()),
            other => (1.0, format!(" {other}")),
        };
        Self {
            divisor,
            suffix,
            decimals,
        }
    }

    /// For the labels of an axis, which ECharts gives round values.
    pub fn axis_template(&self) -> String {
        format!("{{value}}{}", self.suffix)
    }

    /// For the values in a tooltip.
    pub fn value_template(&self) -> String {
        match self.decimals {
            Some(decimals) => format!("{{value:{}}}{}", decimals.min(9), self.suffix),
            None => self.axis_template(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_chooses_the_unit() {
        let of = |unit, max| {
            let scale = Scale::of(Some(unit), max, None);
            (scale.divisor, scale.axis_template())
        };
        assert_eq!(of("bytes", 5e9), (1_073_741_824.0, "{value} GiB".into()));
        assert_eq!(of("B/s", 1500.0), (1024.0, "{value} KiB/s".into()));
        assert_eq!(of("B", 0.0), (1.0, "{value} B".into()));
        assert_eq!(of("s", 0.2), (0.001, "{value} ms".into()));
        assert_eq!(of("s", 90.0), (60.0, "{value} min".into()));
        assert_eq!(of("percent", 90.0), (1.0, "{value}%".into()));
        assert_eq!(of("km", 90.0), (1.0, "{value} km".into()));
    }

    #[test]
    fn a_widget_may_fix_the_decimals() {
        assert_eq!(Scale::of(None, 1.0, Some(2)).value_template(), "{value:2}");
    }
}
