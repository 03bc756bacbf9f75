//! Which name and which colour a series has.

use super::Answer;
use crate::model::{
    dashboard::Widget,
    mapping::Tags,
    query::{Resolution, SeriesData},
};

/// Colours of the palette: `--chart-1` to `--chart-8` in `style/main.css`, for each theme.
const SLOTS: usize = 8;

/// A series with what a page calls it.
#[derive(Clone, Debug)]
pub struct NamedSeries<'a> {
    /// Unique within the widget.
    pub name: String,
    /// Place in the palette, from 0.
    pub slot: usize,
    /// How many series before it have the same colour: lines tell them apart by dashes.
    pub round: usize,
    /// The widget's query that it answers.
    pub query: usize,
    pub resolution: Resolution,
    pub data: &'a SeriesData,
}

impl NamedSeries<'_> {
    /// Its colour, as CSS resolves it in each theme.
    pub fn color(&self) -> String {
        format!("var(--chart-{})", self.slot + 1)
    }
}

/// All series of a widget, named and coloured.
///
/// Colours do not depend on which other series there are, as far as eight colours allow: a query without
/// groups has the colour of its place in the widget, a group the one that its tags hash to, or the next free.
pub fn named<'a>(widget: &Widget, answers: &[Answer<'a>]) -> Vec<NamedSeries<'a>> {
    let several_queries = widget.queries.len() > 1;
    let mut used = [0usize; SLOTS];
    let mut out = Vec::new();
    for answer in answers {
        let Some(query) = widget.queries.get(answer.query) else {
            continue;
        };
        for data in &answer.result.series {
            let name = name(&query.label, &data.tags, several_queries);
            let wanted = if data.tags.is_empty() {
                answer.query % SLOTS
            } else {
                hash(&name) as usize % SLOTS
            };
            let slots = (0..SLOTS).map(|i| (wanted + i) % SLOTS);
            let slot = slots.min_by_key(|slot| used[*slot]).unwrap_or(wanted);
            let round = used[slot];
            used[slot] += 1;
            out.push(NamedSeries {
                name,
                slot,
                round,
                query: answer.query,
                resolution: answer.result.resolution,
                data,
            });
        }
    }
    out
}

/// The label, the values of the tags, or both where both are needed to tell series apart.
fn name(label: &str, tags: &Tags, several_queries: bool) -> String {
    let values = tags.values().map(|v| if v.is_empty() { "(empty)" } else { v });
    let values = values.collect::<Vec<_>>().join(" / ");
    match (values.is_empty(), several_queries) {
        (true, _) => label.to_owned(),
        (false, false) => values,
        (false, true) => format!("{label} · {values}"),
    }
}

/// FNV-1a: the same in every process, unlike the standard library's.
fn hash(text: &str) -> u32 {
    text.bytes()
        .fold(0x811c_9dc5, |h: u32, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};
    use crate::model::dashboard::WidgetKind;

    fn all(widget: &Widget, results: &[crate::model::query::QueryResult]) -> Vec<(String, usize)> {
        let answers: Vec<Answer> = results
            .iter()
            .enumerate()
            .map(|(query, result)| Answer { query, result })
            .collect();
        named(widget, &answers).into_iter().map(|s| (s.name, s.slot)).collect()
    }

    #[test]
    fn names_carry_what_tells_series_apart() {
        let point: &[(i64, f64)] = &[(0, 1.0)];
        let groups = fixture::result(0, &[("a", point), ("", point)]);
        let one = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let two = fixture::widget(WidgetKind::Line, &["CPU", "Load"], &["t"]);
        let names = |w: &Widget, r: &[_]| all(w, r).into_iter().map(|n| n.0).collect::<Vec<_>>();
        assert_eq!(names(&one, std::slice::from_ref(&groups)), ["a", "CPU"]);
        assert_eq!(
            names(&two, &[groups.clone(), groups]),
            ["CPU · a", "CPU", "Load · a", "Load"]
        );
    }

    #[test]
    fn a_new_series_does_not_recolour_the_others() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let point: &[(i64, f64)] = &[(0, 1.0)];
        let before = all(&widget, &[fixture::result(0, &[("core 3", point)])]);
        let after = all(&widget, &[fixture::result(0, &[("core 3", point), ("zone 9", point)])]);
        assert!(after.contains(&before[0]), "{before:?} {after:?}");
    }

    #[test]
    fn up_to_eight_series_have_eight_colours() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let point: &[(i64, f64)] = &[(0, 1.0)];
        let tags = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut slots: Vec<_> = all(&widget, &[fixture::result(0, &tags.map(|t| (t, point)))])
            .into_iter()
            .map(|s| s.1)
            .collect();
        slots.sort_unstable();
        assert_eq!(slots, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn the_ninth_series_is_told_apart_by_its_round() {
        let widget = fixture::widget(WidgetKind::Line, &["CPU"], &["t"]);
        let point: &[(i64, f64)] = &[(0, 1.0)];
        let result = fixture::result(0, &["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|t| (t, point)));
        let answers = [Answer {
            query: 0,
            result: &result,
        }];
        let mut looks: Vec<_> = named(&widget, &answers)
            .into_iter()
            .map(|s| (s.slot, s.round))
            .collect();
        looks.sort_unstable();
        looks.dedup();
        assert_eq!(looks.len(), 9);
    }

    /// The palette lives in the style sheet, light first, dark second.
    #[test]
    fn every_colour_stands_out_from_its_surface() {
        let css = include_str!("../../../style/main.css");
        let values = |name: &str| -> Vec<[f64; 3]> {
            css.lines()
                .filter_map(|l| l.trim().strip_prefix(name)?.strip_prefix(": #"))
                .map(|hex| {
                    let channel = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex");
                    [channel(0), channel(2), channel(4)].map(|c| {
                        let c = f64::from(c) / 255.0;
                        if c <= 0.04045 {
                            c / 12.92
                        } else {
                            ((c + 0.055) / 1.055).powf(2.4)
                        }
                    })
                })
                .collect()
        };
        let luminance = |c: [f64; 3]| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
        let surfaces = values("--surface");
        assert_eq!(surfaces.len(), 2, "light and dark");
        for slot in 1..=SLOTS {
            for (color, surface) in values(&format!("--chart-{slot}")).into_iter().zip(&surfaces) {
                let (a, b) = (luminance(color), luminance(*surface));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 3.0, "--chart-{slot}: {contrast:.2}");
            }
        }
    }
}
