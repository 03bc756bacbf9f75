//! A database with one pipeline, and sets to write.

use std::collections::BTreeMap;

use dash_db::test_support::TestDatabase;
use dash_metrics::{Engine, Mode, Silver, SilverOptions, WriteSet};
use dash_model::{
    DEFAULT_ORGANIZATION, EventSeq, MappingVersionId, Micros, PipelineId,
    mapping::Tags,
    point::{Points, SeriesKey},
};
use uuid::Uuid;

pub struct World {
    pub db: TestDatabase,
    pub silver: Silver,
    pub pipeline: PipelineId,
    pub version: MappingVersionId,
}

/// Passes take every hour at once, so that tests need not wait.
pub fn options() -> SilverOptions {
    SilverOptions {
        hot: std::time::Duration::ZERO,
        ..SilverOptions::default()
    }
}

/// One world per mode that this machine has.
pub async fn worlds() -> Vec<World> {
    worlds_with(options()).await
}

pub async fn worlds_with(options: SilverOptions) -> Vec<World> {
    let plain = world(SilverOptions {
        engine: Engine::Plain,
        ..options.clone()
    })
    .await;
    assert_eq!(*plain.silver.mode(), Mode::Plain);
    let mut worlds = vec![plain];
    worlds.extend(timescale(options).await);
    worlds
}

pub async fn timescale(options: SilverOptions) -> Option<World> {
    let world = world(options).await;
    if *world.silver.mode() == Mode::Plain {
        eprintln!("skipped: TimescaleDB is not installed");
        return None;
    }
    Some(world)
}

pub async fn world(options: SilverOptions) -> World {
    let db = TestDatabase::new().await;
    let silver = Silver::new(db.db().clone(), options).await.unwrap();
    let client = db.client().await.unwrap();
    let pipeline = PipelineId(Uuid::from_u128(7));
    client
        .execute(
            "INSERT INTO pipelines (id, organization_id, slug, name, description, source) VALUES ($1, $2, 'p', 'P', '', '{}')",
            &[&pipeline.0, &DEFAULT_ORGANIZATION.0],
        )
        .await
        .unwrap();
    let version = version(&db, pipeline, 1).await;
    World {
        db,
        silver,
        pipeline,
        version,
    }
}

pub async fn version(db: &TestDatabase, pipeline: PipelineId, number: i32) -> MappingVersionId {
    let sql = "INSERT INTO mapping_versions (organization_id, pipeline_id, number, mapping) VALUES ($1, $2, $3, '{}') RETURNING id";
    let row = db
        .client()
        .await
        .unwrap()
        .query_one(sql, &[&DEFAULT_ORGANIZATION.0, &pipeline.0, &number])
        .await
        .unwrap();
    MappingVersionId(row.get(0))
}

impl World {
    /// A set of `events` events from `first` on, without points.
    pub fn set(&self, first: i64, events: u32) -> WriteSet {
        WriteSet {
            organization: DEFAULT_ORGANIZATION,
            pipeline: self.pipeline,
            version: self.version,
            first_event: EventSeq(first),
            last_event: EventSeq(first + i64::from(events) - 1),
            batches: 1,
            events,
            rejected: 0,
            mapped: events,
            filtered: 0,
            last_event_at: Micros(1_000_000),
            series: Vec::new(),
            points: Points::default(),
            quarantined: Vec::new(),
            answered: Vec::new(),
            records: None,
        }
    }

    /// One event, and one point, for each of `points`: time in µs, series, value.
    pub fn set_of(&self, first: i64, points: &[(i64, SeriesKey, f64)]) -> WriteSet {
        let mut set = self.set(first, u32::try_from(points.len()).unwrap());
        let mut places = BTreeMap::new();
        for (event, (time, key, value)) in (first..).zip(points) {
            let place = *places.entry(key.clone()).or_insert_with(|| {
                set.series.push(key.clone());
                set.series.len() - 1
            });
            set.points.time.push(Micros(*time));
            set.points.series.push(u32::try_from(place).unwrap());
            set.points.value.push(*value);
            set.points.event.push(EventSeq(event));
        }
        set
    }

    pub async fn count(&self, sql: &str) -> i64 {
        self.db
            .client()
            .await
            .unwrap()
            .query_one(sql, &[])
            .await
            .unwrap()
            .get(0)
    }
}

pub fn series(metric: &str, tags: &[(&str, &str)]) -> SeriesKey {
    let tags: Tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    SeriesKey {
        metric: metric.into(),
        tags,
    }
}

/// Numbers that are the same in every run (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    pub fn range(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from).unwrap())).unwrap()
    }

    /// A multiple of a quarter, so that sums are exact in any order.
    pub fn value(&mut self) -> f64 {
        self.range(-4_000, 4_000) as f64 / 4.0
    }
}
