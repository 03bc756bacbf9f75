//! When something is done again.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use dash_db::store::jobs::Missed;
use dash_model::Micros;

/// A tick that is later than this was missed, in microseconds: a node was there, only busy.
const LATE: i64 = 60 * 1_000_000;
/// Of missed ticks each of which is made up for.
const MOST: usize = 1000;

/// A cron expression, and the time zone whose clock it is about.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Box<Cron>,
    zone: Tz,
}

/// Names the field and says what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    #[error(
        "expression: {0:?} is none ({1}); write minute, hour, day of the month, month and day of the week, like \"*/5 * * * *\""
    )]
    Expression(String, String),
    #[error("expression: {0:?} never comes true")]
    Never(String),
    #[error("zone: {0:?} is none; write a name of the IANA database, like Europe/Berlin")]
    Zone(String),
}

impl Schedule {
    /// Five fields, or six with seconds before them.
    ///
    /// # Errors
    /// [`ScheduleError`]
    pub fn new(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let wrong =
            |error: croner::errors::CronError| ScheduleError::Expression(expression.to_owned(), error.to_string());
        let schedule = Self {
            cron: Box::new(Cron::from_str(expression).map_err(wrong)?),
            zone: zone.parse().map_err(|_| ScheduleError::Zone(zone.to_owned()))?,
        };
        match schedule.after(Micros(Utc::now().timestamp_micros())) {
            Some(_) => Ok(schedule),
            None => Err(ScheduleError::Never(expression.to_owned())),
        }
    }

    pub fn expression(&self) -> &str {
        self.cron.as_str()
    }

    pub fn zone(&self) -> &'static str {
        self.zone.name()
    }

    /// The first tick after `time`; where clocks are put forward, what falls into the hour that is left out comes after it.
    pub fn after(&self, time: Micros) -> Option<Micros> {
        let time = DateTime::<Utc>::from_timestamp_micros(time.0)?.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&time, false).ok()?;
        Some(Micros(next.timestamp_micros()))
    }

    /// Of the tick that was due and all that came since, those that a job is made for, and the next one.
    pub(crate) fn ticks(&self, due: Micros, now: Micros, missed: Missed) -> (Vec<Micros>, Option<Micros>) {
        let mut ticks = vec![due];
        let mut next = self.after(due);
        while let Some(tick) = next.filter(|tick| *tick <= now) {
            ticks.push(tick);
            if ticks.len() > MOST {
                ticks.remove(0);
            }
            next = self.after(tick);
        }
        match missed {
            Missed::All => {}
            Missed::Once => drop(ticks.drain(..ticks.len() - 1)),
            Missed::Skip => {
                ticks.drain(..ticks.len() - 1);
                ticks.retain(|tick| tick.0 >= now.0 - LATE);
            }
        }
        (ticks, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Micros {
        Micros(text.parse::<DateTime<Utc>>().unwrap().timestamp_micros())
    }

    #[test]
    fn a_schedule_is_about_the_clock_on_the_wall() {
        let berlin = Schedule::new("30 7 * * *", "Europe/Berlin").unwrap();
        assert_eq!(
            berlin.after(at("2026-01-10T00:00:00Z")),
            Some(at("2026-01-10T06:30:00Z"))
        );
        assert_eq!(
            berlin.after(at("2026-07-10T00:00:00Z")),
            Some(at("2026-07-10T05:30:00Z"))
        );
        // On the 29th of March there is no half past two.
        let skipped = Schedule::new("30 2 * * *", "Europe/Berlin").unwrap();
        let next = skipped.after(at("2026-03-28T12:00:00Z")).unwrap();
        assert!(
            next >= at("2026-03-29T01:00:00Z") && next <= at("2026-03-29T01:30:00Z"),
            "{next:?}"
        );
        // On the 25th of October there are two; it is done once.
        let first = skipped.after(at("2026-10-24T12:00:00Z")).unwrap();
        assert_eq!(first, at("2026-10-25T00:30:00Z"));
        assert_eq!(skipped.after(first), Some(at("2026-10-26T01:30:00Z")));
    }

    #[test]
    fn what_is_no_schedule_says_which_field_and_how_to_write_it() {
        let wrong = [
            ("every day", "UTC", "expression"),
            ("61 * * * *", "UTC", "expression"),
            ("0 0 30 2 *", "UTC", "never"),
            ("* * * * *", "Berlin", "zone"),
        ];
        for (expression, zone, word) in wrong {
            let error = Schedule::new(expression, zone).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn missed_ticks_are_left_out_or_made_up_for() {
        let hourly = Schedule::new("0 * * * *", "UTC").unwrap();
        let (due, now) = (at("2026-01-01T01:00:00Z"), at("2026-01-01T03:30:00Z"));
        let ticks = |missed| hourly.ticks(due, now, missed).0;
        let all = ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"].map(at);
        assert_eq!(ticks(Missed::All), all);
        assert_eq!(ticks(Missed::Once), all[2..]);
        assert_eq!(ticks(Missed::Skip), []);
        let next = hourly.ticks(due, now, Missed::Skip).1;
        assert_eq!(next, Some(at("2026-01-01T04:00:00Z")));
        // A few seconds late is not missed.
        assert_eq!(hourly.ticks(due, at("2026-01-01T01:00:07Z"), Missed::Skip).0, [due]);
    }
}
