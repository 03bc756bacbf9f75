//! What an organization has of what it may have.
//!
//! Counted where it is: pipelines and members in their tables, events and bytes in the manifest of the lake. Events that are accepted and not in the
//! manifest yet are counted from the figures of the pipelines. Between two readings each node adds what it accepts itself.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use app::AppError;
use chrono::{Datelike, TimeZone, Utc};
use dash_db::{
    AsyncPgConnection, Db,
    store::{self, organizations::Limits},
};
use dash_model::{
    Micros, OrganizationId,
    people::{Limit, Limited},
};
use parking_lot::RwLock;

use super::within;
use crate::{catalog::Catalog, config, failure::Failure, figures::Figures};

/// Cheap to clone.
#[derive(Clone)]
pub struct Quotas {
    db: Db,
    catalog: Catalog,
    figures: Figures,
    defaults: config::Quotas,
    read: Arc<RwLock<HashMap<OrganizationId, Arc<Reading>>>>,
}

/// What was read of an organization, and what was accepted since.
struct Reading {
    limits: Vec<Limit>,
    events_since: AtomicU64,
}

impl Reading {
    fn of(&self, what: Limited) -> Option<Limit> {
        let mut limit = self.limits.iter().find(|limit| limit.what == what).cloned()?;
        if what == Limited::EventsAMonth {
            limit.used += self.events_since.load(Ordering::Relaxed);
        }
        Some(limit)
    }
}

impl Quotas {
    pub fn new(db: Db, catalog: Catalog, figures: Figures, defaults: config::Quotas) -> Self {
        Self {
            db,
            catalog,
            figures,
            defaults,
            read: Arc::default(),
        }
    }

    /// All limits of an organization, as of now.
    pub async fn of(&self, organization: OrganizationId) -> Result<Vec<Limit>, Failure> {
        let waiting = self.waiting(organization).await?;
        let mut connection = self.db.diesel().await?;
        let own = own_limits(&mut connection, organization).await?;
        table(&mut connection, (&own, &self.defaults), organization, waiting).await
    }

    /// Reads anew what the ways in are judged by.
    pub async fn refresh(&self) -> Result<(), Failure> {
        let organizations = store::organizations::list(&mut *self.db.diesel().await?).await?;
        let mut read = HashMap::new();
        for organization in organizations {
            // What is on its way is asked for only where it counts.
            let events = allowed(Limited::EventsAMonth, &organization.limits, &self.defaults);
            let waiting = match events {
                Some(_) => self.waiting(organization.id).await?,
                None => 0,
            };
            let mut connection = self.db.diesel().await?;
            let reading = Reading {
                limits: table(
                    &mut connection,
                    (&organization.limits, &self.defaults),
                    organization.id,
                    waiting,
                )
                .await?,
                events_since: AtomicU64::new(0),
            };
            read.insert(organization.id, Arc::new(reading));
        }
        *self.read.write() = read;
        Ok(())
    }

    /// Whether events are taken: not beyond the month's, nor into a lake that is full.
    pub fn take_events(&self, organization: OrganizationId) -> Result<(), AppError> {
        let Some(reading) = self.read.read().get(&organization).cloned() else {
            return Ok(());
        };
        for what in [Limited::EventsAMonth, Limited::LakeBytes] {
            reading.of(what).map_or(Ok(()), |limit| within(&limit))?;
        }
        Ok(())
    }

    /// So many were taken.
    pub fn took_events(&self, organization: OrganizationId, events: u64) {
        if let Some(reading) = self.read.read().get(&organization) {
            reading.events_since.fetch_add(events, Ordering::Relaxed);
        }
    }

    /// As [`one_more`].
    pub async fn one_more(
        &self,
        connection: &mut AsyncPgConnection,
        organization: OrganizationId,
        what: Limited,
    ) -> Result<(), Failure> {
        one_more(connection, &self.defaults, organization, what).await
    }

    /// Events that are accepted and not in the manifest yet.
    async fn waiting(&self, organization: OrganizationId) -> Result<u64, Failure> {
        let mut waiting = 0;
        for entry in self.catalog.of(organization) {
            let stats = self.figures.of(&entry).await?;
            waiting += stats.accepted.saturating_sub(stats.bronze_rows);
        }
        Ok(waiting)
    }

    /// Limits that are nearly reached, in words for every page.
    pub fn warnings(&self, organization: OrganizationId) -> Vec<String> {
        let Some(reading) = self.read.read().get(&organization).cloned() else {
            return Vec::new();
        };
        let near = Limited::ALL
            .into_iter()
            .filter_map(|what| reading.of(what))
            .filter(Limit::is_near);
        let words = near.map(|limit| match limit.is_reached() {
            true => format!("The limit of {} is reached: more is refused.", limit.what.words()),
            false => {
                let percent = limit.share().unwrap_or_default() * 100.0;
                format!("{percent:.0} % of the limit of {} is used.", limit.what.words())
            }
        });
        words.collect()
    }
}

/// Whether one more is within the limit; counted now, on the connection of the transaction that adds it.
///
/// # Errors
/// [`AppError::Limit`]
pub async fn one_more(
    connection: &mut AsyncPgConnection,
    defaults: &config::Quotas,
    organization: OrganizationId,
    what: Limited,
) -> Result<(), Failure> {
    // Who adds one at the same time waits.
    store::members::lock(connection, organization).await?;
    let own = own_limits(connection, organization).await?;
    let limits = table(connection, (&own, defaults), organization, 0).await?;
    let limit = limits.iter().find(|limit| limit.what == what);
    Ok(limit.map_or(Ok(()), within)?)
}

/// Those that an organization has for itself.
async fn own_limits(connection: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Limits, Failure> {
    let found = store::organizations::get(connection, organization).await?;
    Ok(found.map(|o| o.limits).unwrap_or_default())
}

/// All limits; `waiting` events are accepted and not in the manifest yet.
async fn table(
    connection: &mut AsyncPgConnection,
    (own, defaults): (&Limits, &config::Quotas),
    organization: OrganizationId,
    waiting: u64,
) -> Result<Vec<Limit>, Failure> {
    let now = crate::clock::now();
    let usage = store::usage::of(connection, organization, month(now), now).await?;
    let used = |what| match what {
        Limited::Pipelines => unsigned(usage.pipelines),
        Limited::EventsAMonth => unsigned(usage.events) + waiting,
        Limited::LakeBytes => unsigned(usage.lake_bytes),
        Limited::Members => unsigned(usage.members),
    };
    let limit = |what| Limit {
        what,
        used: used(what),
        allowed: allowed(what, own, defaults),
    };
    Ok(Limited::ALL.map(limit).to_vec())
}

fn unsigned(n: i64) -> u64 {
    n.try_into().unwrap_or_default()
}

fn allowed(what: Limited, own: &Limits, defaults: &config::Quotas) -> Option<u64> {
    let (own, default) = match what {
        Limited::Pipelines => (own.pipelines, defaults.pipelines),
        Limited::EventsAMonth => (own.events_a_month, defaults.events_a_month),
        Limited::LakeBytes => (own.lake_bytes, defaults.lake_bytes),
        Limited::Members => (own.members, defaults.members),
    };
    own.map(unsigned).or(default)
}

/// When the calendar month of this time begins, in UTC.
fn month(now: Micros) -> Micros {
    let now = super::post::when(now);
    let first = Utc.with_ymd_and_hms(now.year(), now.month(), 1, 0, 0, 0).single();
    Micros(first.map_or(0, |first| first.timestamp_micros()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_begins_on_its_first_day_in_utc() {
        // 2026-11-25 12:34:56 and 2026-11-01
        assert_eq!(month(Micros(1_795_610_096_000_000)), Micros(1_793_491_200_000_000));
        assert_eq!(month(Micros(1_793_491_200_000_000)), Micros(1_793_491_200_000_000));
        assert_eq!(month(Micros(1_793_491_199_999_999)), Micros(1_790_812_800_000_000));
    }

    #[test]
    fn an_organizations_own_limit_goes_before_the_servers() {
        let defaults = config::Quotas {
            pipelines: Some(3),
            ..config::Quotas::default()
        };
        let own = Limits {
            pipelines: Some(10),
            ..Limits::default()
        };
        assert_eq!(allowed(Limited::Pipelines, &own, &defaults), Some(10));
        assert_eq!(allowed(Limited::Pipelines, &Limits::default(), &defaults), Some(3));
        assert_eq!(allowed(Limited::Members, &own, &defaults), None);
    }
}
