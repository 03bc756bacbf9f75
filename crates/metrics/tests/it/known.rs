//! An answer that takes over what is known equals one that does not.

use dash_metrics::{Known, Parts};
use dash_model::{
    Micros,
    query::{Aggregation, QueryResult, QuerySpec, Shape, TimeRange},
};

use crate::{
    model::{self, check},
    queries::{START, fill, random_spec, spec},
    support::{Random, World, worlds},
};

const DAY: i64 = 86_400_000_000;

async fn ask(w: &World, spec: &QuerySpec, now: i64, known: Option<Known<'_>>) -> (QueryResult, Option<Parts>) {
    let asked = w.silver.follow(w.version, None, spec, Micros(now), known).await;
    asked.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_goes_on_from_another_is_what_the_points_say() {
    for w in worlds().await {
        let mut random = Random(5);
        let mut points = fill(&w, &mut random, 1, 3_000, 3).await;
        let mut now = START + 2 * DAY;
        let mut topics: Vec<(QuerySpec, Option<Parts>)> = Vec::new();
        for _ in 0..30 {
            let spec = random_spec(&mut random, 3);
            let (_, parts) = ask(&w, &spec, now, None).await;
            topics.push((spec, parts));
        }
        let mut reused = 0;
        for round in 0..12 {
            if round % 4 == 3 {
                w.silver.rollup().await.unwrap();
            }
            // Within seconds, within a day, anywhere, or none at all.
            let n = [0, 1, 40][usize::try_from(random.below(3)).unwrap()];
            let mut changed = None;
            if n > 0 {
                let new = fill(&w, &mut random, 10_000 * (round + 1), n, 1 + round % 4).await;
                let times = new.iter().map(|p: &model::Known| p.time);
                changed = times.clone().min().zip(times.max()).map(|(first, last)| first..=last);
                points.extend(new);
            }
            now += random.range(0, 7_200_000_000);
            for (spec, parts) in &mut topics {
                let known = parts.as_ref().map(|parts| Known {
                    parts,
                    changed: changed.clone(),
                });
                reused += u32::from(known.is_some());
                let (result, next) = ask(&w, spec, now, known).await;
                check(&points, spec, now, &result);
                *parts = next;
            }
        }
        assert!(reused > 50, "hardly any answer had parts: {reused}");
    }
}

/// Points that were written behind Silver's back show what is read anew.
#[tokio::test(flavor = "multi_thread")]
async fn only_buckets_that_changed_are_read() {
    for w in worlds().await {
        let mut random = Random(6);
        fill(&w, &mut random, 1, 500, 1).await;
        let ms = START / 1_000;
        let range = TimeRange::Between {
            from_ms: ms,
            to_ms: ms + 86_400_000,
        };
        let count = spec(Aggregation::Count, &[], range, Shape::Series { width: 24 });
        let (before, parts) = ask(&w, &count, 0, None).await;
        assert_eq!(before.resolution.bucket_ms, 3_600_000);
        let of = |answer: &QueryResult, hour: i64| {
            let at = ms + hour * 3_600_000;
            answer.series[0].points.iter().find(|p| p.0 == at).map(|p| p.1)
        };
        for hour in [3_i64, 7] {
            let sql = "INSERT INTO metrics (time, series_id, value, event)
                SELECT to_timestamp($1::float8), id, 1, 99 FROM series WHERE metric = 'v' LIMIT 1";
            let at = (START / 1_000_000 + hour * 3_600 + 60) as f64;
            w.db.client().await.unwrap().execute(sql, &[&at]).await.unwrap();
        }
        let at = START + 7 * 3_600_000_000;
        let known = Known {
            parts: parts.as_ref().unwrap(),
            changed: Some(at..=at),
        };
        let (after, _) = ask(&w, &count, 0, Some(known)).await;
        let more = |n: Option<f64>| Some(n.unwrap_or(0.0) + 1.0);
        assert_eq!(of(&after, 7), more(of(&before, 7)), "the bucket that changed");
        assert_eq!(of(&after, 3), of(&before, 3), "a bucket that nobody told of");
        let (anew, _) = ask(&w, &count, 0, None).await;
        assert_eq!(of(&anew, 3), more(of(&before, 3)));
    }
}

/// A total that is followed is read in parts; one that is asked for once from the coarsest rollups.
#[tokio::test(flavor = "multi_thread")]
async fn a_followed_total_goes_on_from_its_parts() {
    for w in worlds().await {
        let mut random = Random(8);
        let mut points = fill(&w, &mut random, 1, 500, 1).await;
        let range = TimeRange::Between {
            from_ms: START / 1_000,
            to_ms: START / 1_000 + 86_400_000,
        };
        let totals = [
            Aggregation::Avg,
            Aggregation::Sum,
            Aggregation::Min,
            Aggregation::Max,
            Aggregation::Count,
        ];
        let totals = totals.map(|agg| spec(agg, &["device"], range, Shape::Total));
        let mut known = Vec::new();
        for total in &totals {
            let (result, parts) = ask(&w, total, 0, None).await;
            check(&points, total, 0, &result);
            known.push(parts.unwrap());
        }
        let new = fill(&w, &mut random, 1_000, 20, 1).await;
        let times = new.iter().map(|p: &model::Known| p.time);
        let changed = times.clone().min().zip(times.max()).map(|(first, last)| first..=last);
        points.extend(new);
        for (total, parts) in totals.iter().zip(&known) {
            let changed = changed.clone();
            let (result, next) = ask(&w, total, 0, Some(Known { parts, changed })).await;
            check(&points, total, 0, &result);
            assert!(next.is_some());
        }
    }
}
