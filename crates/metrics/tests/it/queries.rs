//! Answers equal what the points say, one by one.

use dash_model::{
    Micros,
    query::{Aggregation, MetricQuery, QuerySpec, Rollup, Shape, TagFilter, TimeRange},
};

use crate::{
    model::{Known, check},
    support::{Random, World, options, series, world, worlds},
};

pub const AGGREGATIONS: [Aggregation; 7] = [
    Aggregation::Avg,
    Aggregation::Sum,
    Aggregation::Min,
    Aggregation::Max,
    Aggregation::Count,
    Aggregation::First,
    Aggregation::Last,
];

const DAY: i64 = 86_400_000_000;
/// A day that no bucket but a day's begins at.
pub const START: i64 = 1_700_006_400_000_000 - 1_700_006_400_000_000 % DAY;

pub fn spec(agg: Aggregation, by: &[&str], range: TimeRange, shape: Shape) -> QuerySpec {
    let by = by.iter().map(|b| (*b).to_owned()).collect();
    QuerySpec {
        query: MetricQuery {
            pipeline: "p".into(),
            metric: "v".into(),
            agg,
            by,
            only: vec![],
        },
        range,
        shape,
    }
}

/// Random points of twelve series over `days`, many at the same time; written, and known with the numbers of their series.
pub async fn fill(w: &World, random: &mut Random, first: i64, n: i64, days: i64) -> Vec<Known> {
    let points: Vec<_> = (0..n)
        .map(|_| {
            let (site, device) = (random.below(3).to_string(), random.below(4).to_string());
            let tags: &[(&str, &str)] = if site == "2" {
                &[("device", &device)]
            } else {
                &[("device", &device), ("site", &site)]
            };
            let key = series(if random.below(5) == 0 { "w" } else { "v" }, tags);
            // Coarse times make ties, fine ones do not.
            let grain = [60_000_000, 1_000_000, 1][usize::try_from(random.below(3)).unwrap()];
            let time = START + random.range(0, days * DAY) / grain * grain;
            (time, key, random.value())
        })
        .collect();
    w.silver.write(vec![w.set_of(first, &points)]).await.unwrap();
    known(w, first, &points).await
}

pub async fn known(w: &World, first: i64, points: &[(i64, dash_model::point::SeriesKey, f64)]) -> Vec<Known> {
    let rows =
        w.db.client()
            .await
            .unwrap()
            .query("SELECT metric, tags, id FROM series", &[])
            .await
            .unwrap();
    let number = |key: &dash_model::point::SeriesKey| {
        let same = |r: &&tokio_postgres::Row| {
            r.get::<_, String>(0) == key.metric
                && r.get::<_, tokio_postgres::types::Json<dash_model::mapping::Tags>>(1).0 == key.tags
        };
        rows.iter().find(same).unwrap().get(2)
    };
    (first..)
        .zip(points)
        .map(|(event, (time, key, value))| Known {
            time: *time,
            key: key.clone(),
            series: number(key),
            value: *value,
            event,
        })
        .collect()
}

pub fn random_spec(random: &mut Random, days: i64) -> QuerySpec {
    let pick = |random: &mut Random, n| usize::try_from(random.below(n)).unwrap();
    let agg = AGGREGATIONS[pick(random, 7)];
    let by: &[&str] = [&["device", "site"][..], &["site"], &["device"], &[], &["nothing"]][pick(random, 5)];
    let range = match random.below(8) {
        0 => TimeRange::All,
        1 => TimeRange::Last {
            seconds: u32::try_from(random.range(1, days * 86_400)).unwrap(),
        },
        2 => {
            // On the edges of hours, where an error of one shows.
            let hours = random.range(0, days * 24);
            let from_ms = START / 1_000 + hours * 3_600_000;
            TimeRange::Between {
                from_ms,
                to_ms: from_ms + random.range(1, 60) * 3_600_000,
            }
        }
        _ => {
            let from_ms = START / 1_000 + random.range(-3_600_000, days * 86_400_000);
            let longest = [600_000, 7_200_000, days * 86_400_000][pick(random, 3)];
            TimeRange::Between {
                from_ms,
                to_ms: from_ms + random.range(1, longest),
            }
        }
    };
    let shape = match random.below(3) {
        0 => Shape::Total,
        _ => Shape::Series {
            width: [1, 7, 50, 300, 1_500][pick(random, 5)],
        },
    };
    let mut spec = spec(agg, by, range, shape);
    if random.below(3) == 0 {
        let values = vec!["0".into(), "2".into()];
        spec.query.only.push(TagFilter {
            tag: "device".into(),
            values,
        });
    }
    spec
}

/// Asks `n` random questions.
pub async fn ask(w: &World, points: &[Known], random: &mut Random, n: usize, days: i64) {
    let now = START + days * DAY - 12_345;
    for _ in 0..n {
        let spec = random_spec(random, days);
        let result = w
            .silver
            .query(w.version, Some("V".into()), &spec, Micros(now))
            .await
            .unwrap();
        assert_eq!(result.unit.as_deref(), Some("V"));
        check(points, &spec, now, &result);
        if let Shape::Series { width } = spec.shape {
            let most = result.series.iter().map(|s| s.points.len()).max().unwrap_or(0);
            assert!(most <= 2 * width as usize, "{most} points on {width} pixels: {spec:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_what_the_points_say() {
    for w in worlds().await {
        let mut random = Random(42);
        let points = fill(&w, &mut random, 1, 6_000, 5).await;
        // Nothing rolled up, then everything.
        ask(&w, &points, &mut random, 120, 5).await;
        assert!(w.silver.rollup().await.unwrap().hours > 0);
        ask(&w, &points, &mut random, 250, 5).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_coarsest_rollup_that_fits_is_read() {
    for w in worlds().await {
        let mut random = Random(1);
        let points = fill(&w, &mut random, 1, 3_000, 20).await;
        w.silver.rollup().await.unwrap();
        let ms = START / 1_000;
        for (from_ms, to_ms, width, bucket, from) in [
            (ms, ms + 20 * 86_400_000, 20, 86_400_000, Rollup::Day),
            (ms, ms + 20 * 86_400_000, 480, 3_600_000, Rollup::Hour),
            (ms, ms + 86_400_000, 1_000, 120_000, Rollup::Minute),
            (ms, ms + 600_000, 600, 1_000, Rollup::Raw),
            // Days that the edges cut are read finer, the one between is a day.
            (ms + 1, ms + 3 * 86_400_000 - 1, 1, 7 * 86_400_000, Rollup::Day),
        ] {
            let spec = spec(
                Aggregation::Sum,
                &[],
                TimeRange::Between { from_ms, to_ms },
                Shape::Series { width },
            );
            let result = w.silver.query(w.version, None, &spec, Micros(0)).await.unwrap();
            assert_eq!(
                (result.resolution.bucket_ms, result.resolution.from),
                (bucket, from),
                "{spec:?}"
            );
            check(&points, &spec, 0, &result);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_points_come_as_they_were_written() {
    for w in worlds().await {
        let points: Vec<_> = (0..40)
            .map(|i| {
                (
                    START + i * 1_500,
                    series("v", &[("d", &format!("{}", i % 2))]),
                    i as f64,
                )
            })
            .collect();
        w.silver.write(vec![w.set_of(1, &points)]).await.unwrap();
        let points = known(&w, 1, &points).await;
        for (agg, by, width, as_written) in [
            (Aggregation::Avg, &["d"][..], 10, true),
            (Aggregation::Last, &["d"], 10, true),
            // Too many for the width; two series in one line; an aggregate of a bucket.
            (Aggregation::Avg, &["d"], 9, false),
            (Aggregation::Avg, &[], 500, false),
            (Aggregation::Sum, &["d"], 500, false),
            (Aggregation::Count, &["d"], 500, false),
        ] {
            let spec = spec(agg, by, TimeRange::All, Shape::Series { width });
            let result = w.silver.query(w.version, None, &spec, Micros(0)).await.unwrap();
            assert_eq!(result.resolution.bucket_ms == 0, as_written, "{spec:?}");
            check(&points, &spec, 0, &result);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_too_many_series_the_newest_are_shown_and_the_others_counted() {
    for w in worlds().await {
        let points: Vec<_> = (0..250)
            .map(|i| (START + i * 1_000_000, series("v", &[("d", &i.to_string())]), i as f64))
            .collect();
        w.silver.write(vec![w.set_of(1, &points)]).await.unwrap();
        let ms = START / 1_000;
        // Of the 130 with points in the range, 100 are kept: 99 before 100.
        let range = TimeRange::Between {
            from_ms: ms + 20_000,
            to_ms: ms + 150_000,
        };
        for shape in [Shape::Series { width: 100 }, Shape::Total] {
            let result = w
                .silver
                .query(
                    w.version,
                    None,
                    &spec(Aggregation::Avg, &["d"], range, shape),
                    Micros(0),
                )
                .await
                .unwrap();
            assert_eq!((result.series.len(), result.omitted_series), (100, 30));
            let shown: Vec<&str> = result.series.iter().map(|s| s.tags["d"].as_str()).collect();
            let expected: Vec<String> = (50..150).map(|i: i32| i.to_string()).collect();
            assert_eq!(shown, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_an_empty_answer() {
    let w = world(options()).await;
    for range in [
        TimeRange::All,
        TimeRange::Last { seconds: 60 },
        TimeRange::Between {
            from_ms: i64::MIN,
            to_ms: i64::MAX,
        },
    ] {
        for shape in [
            Shape::Total,
            Shape::Series { width: 0 },
            Shape::Series { width: u32::MAX },
        ] {
            for by in [&[][..], &["x"]] {
                let result = w
                    .silver
                    .query(w.version, None, &spec(Aggregation::Sum, by, range, shape), Micros(0))
                    .await
                    .unwrap();
                assert!(result.series.is_empty() && result.from_ms < result.to_ms);
            }
        }
    }
    let none = spec(
        Aggregation::Sum,
        &[],
        TimeRange::Between { from_ms: 5, to_ms: 5 },
        Shape::Total,
    );
    let error = w.silver.query(w.version, None, &none, Micros(0)).await.unwrap_err();
    assert!(error.to_string().contains("from (5) must be before to (5)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_values_are_never_sql() {
    for w in worlds().await {
        let evil = "'; DROP TABLE metrics; --$1";
        let key = series("v", &[(evil, evil)]);
        w.silver.write(vec![w.set_of(1, &[(START, key, 5.0)])]).await.unwrap();
        let mut spec = spec(Aggregation::Avg, &[evil], TimeRange::All, Shape::Total);
        spec.query.only.push(TagFilter {
            tag: evil.into(),
            values: vec![evil.into()],
        });
        let result = w.silver.query(w.version, None, &spec, Micros(0)).await.unwrap();
        assert_eq!(result.series[0].tags[evil], evil);
        spec.query.metric = evil.into();
        assert!(
            w.silver
                .query(w.version, None, &spec, Micros(0))
                .await
                .unwrap()
                .series
                .is_empty()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_scattered_hours_out_of_date_are_read_from_the_points() {
    for w in worlds().await {
        let mut random = Random(5);
        let mut points = fill(&w, &mut random, 1, 3_000, 5).await;
        w.silver.rollup().await.unwrap();
        let late: Vec<_> = (0..60)
            .map(|i| {
                let time = START + i * 2 * 3_600_000_000 + random.range(0, 3_600_000_000);
                (time, series("v", &[("device", "0"), ("site", "0")]), random.value())
            })
            .collect();
        w.silver.write(vec![w.set_of(50_000, &late)]).await.unwrap();
        points.extend(known(&w, 50_000, &late).await);
        assert_eq!(w.silver.stats(Some(w.version)).await.unwrap().pending_hours, 60);
        ask(&w, &points, &mut random, 80, 5).await;
        assert_eq!(w.silver.rollup().await.unwrap().hours, 60);
        ask(&w, &points, &mut random, 40, 5).await;
    }
}
