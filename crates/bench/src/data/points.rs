//! Points as Silver gets them, of devices whose values wander, made without a mapping.

use std::sync::Arc;

use dash_metrics::WriteSet;
use dash_model::{
    DEFAULT_ORGANIZATION, EventSeq, Micros,
    point::{Points, SeriesKey},
};

use super::{device::Random, postgres::Database};

/// Points of a set, about as many as the server writes down at once.
const SET: usize = 50_000;

/// How the points lie in time.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Each device has one series of each metric.
    pub devices: usize,
    pub metrics: &'static [&'static str],
    /// When the first round begins, in microseconds since 1970.
    pub start: i64,
    /// Between two points of a series, in microseconds.
    pub every: i64,
    /// How much a device's clock trembles, in microseconds: each time lies up to so much after its round.
    pub jitter: u64,
    /// Groups that the devices are divided into by the tag `site`.
    pub sites: usize,
}

impl Shape {
    pub fn series(&self) -> usize {
        self.devices * self.metrics.len()
    }
}

/// Values of all series, moving on round by round.
pub struct Walk {
    shape: Shape,
    keys: Arc<Vec<SeriesKey>>,
    values: Vec<f64>,
    order: Vec<usize>,
    round: i64,
    next_event: i64,
    random: Random,
}

impl Walk {
    pub fn new(shape: Shape) -> Self {
        let mut random = Random(shape.devices as u64);
        let key = |device: usize, metric: &&str| SeriesKey {
            metric: (*metric).to_owned(),
            tags: [
                ("device".to_owned(), format!("device-{device:04}")),
                ("site".to_owned(), format!("hall-{}", device % shape.sites)),
            ]
            .into(),
        };
        let keys = (0..shape.devices).flat_map(|d| shape.metrics.iter().map(move |m| key(d, m)));
        let keys: Vec<SeriesKey> = keys.collect();
        Self {
            values: keys.iter().map(|_| 15.0 + random.below(150) as f64 / 10.0).collect(),
            keys: Arc::new(keys),
            order: (0..shape.devices).collect(),
            round: 0,
            next_event: 1 << EventSeq::COUNTER_BITS,
            shape,
            random,
        }
    }

    /// When the next round begins, in microseconds since 1970.
    pub fn now(&self) -> i64 {
        self.shape.start + self.round * self.shape.every
    }

    /// The next whole rounds, at least so many points, as sets for one write.
    pub fn sets(&mut self, database: &Database, points: usize) -> Vec<WriteSet> {
        let rounds = points.div_ceil(self.shape.series());
        let each = SET.div_ceil(self.shape.series());
        let mut sets = Vec::new();
        let mut left = rounds;
        while left > 0 {
            let now = left.min(each);
            sets.push(self.set(database, now));
            left -= now;
        }
        sets
    }

    fn set(&mut self, database: &Database, rounds: usize) -> WriteSet {
        let first = self.next_event;
        let mut points = Points::default();
        for _ in 0..rounds {
            self.round(&mut points);
        }
        let events = u32::try_from(self.next_event - first).expect("a set is small");
        WriteSet {
            organization: DEFAULT_ORGANIZATION,
            pipeline: database.pipeline,
            version: database.version,
            first_event: EventSeq(first),
            last_event: EventSeq(self.next_event - 1),
            batches: events.div_ceil(1_000),
            events,
            rejected: 0,
            mapped: events,
            filtered: 0,
            last_event_at: Micros(self.now()),
            series: self.keys.to_vec(),
            points,
            quarantined: Vec::new(),
            answered: Vec::new(),
            records: None,
        }
    }

    /// One event of each device; neighbours overtake one another on their way.
    fn round(&mut self, points: &mut Points) {
        for i in 1..self.order.len() {
            if self.random.below(4) == 0 {
                self.order.swap(i - 1, i);
            }
        }
        let metrics = self.shape.metrics.len();
        let at = self.now();
        for &device in &self.order {
            // Devices tell milliseconds.
            let late = match self.shape.jitter {
                0 => 0,
                jitter => (self.random.below(jitter) / 1_000 * 1_000).cast_signed(),
            };
            for metric in 0..metrics {
                let series = device * metrics + metric;
                let value = &mut self.values[series];
                *value = ((*value + self.random.step(0.06)) * 10.0).round() / 10.0;
                points.time.push(Micros(at + late));
                points.series.push(u32::try_from(series).expect("series are few"));
                points.value.push(*value);
                points.event.push(EventSeq(self.next_event));
            }
            self.next_event += 1;
        }
        self.round += 1;
    }
}
