//! Who did what: a log that only grows, each entry chained to the one before.
//!
//! The hash of an entry is SHA-256 over all of it and the hash of the entry before, so that a change or a gap shows in [`verify`], also one that
//! was made around the triggers of the table. What the chain cannot show is that its last entries are missing: note the head now and then.

use std::fmt;

use chrono::{DateTime, Utc};
use dash_model::{Micros, OrganizationId};
use diesel::{prelude::*, sql_types};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{hash, micros, time};
use crate::{DbError, schema::audit_log};

/// Entries that [`verify`] reads at a time.
const PAGE: i64 = 1_000;
/// "dash" and the purpose.
const LOCK: i64 = 0x6461_7368_0000_0003;

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub kind: ActorKind,
    pub id: Option<Uuid>,
    /// As they were called then.
    pub name: String,
    /// Where the request came from.
    pub address: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// Signed in.
    Person,
    /// A program with a key.
    Key,
    /// On the command line of the server.
    Operator,
    /// Dash itself.
    System,
}

impl Actor {
    /// Whoever runs commands on the machine of the server.
    pub fn operator() -> Self {
        Self {
            kind: ActorKind::Operator,
            id: None,
            name: "command line".into(),
            address: None,
        }
    }

    /// Dash itself, such as at its first start.
    pub fn system() -> Self {
        Self {
            kind: ActorKind::System,
            id: None,
            name: "Dash".into(),
            address: None,
        }
    }
}

/// Who does something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    pub actor: Actor,
    pub at: Micros,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    pub actor: Actor,
    /// Such as `pipeline.create`.
    pub action: String,
    /// Such as `pipeline flights`.
    pub target: String,
    /// Without secrets.
    pub before: Option<serde_json::Value>,
    pub after: Option<serde_json::Value>,
}

/// An entry as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub number: i64,
    pub at: Micros,
    pub actor: String,
    pub actor_id: Option<Uuid>,
    pub actor_name: String,
    pub address: Option<String>,
    pub action: String,
    pub target: String,
    /// JSON
    pub before: Option<String>,
    pub after: Option<String>,
    pub previous: [u8; 32],
    pub hash: [u8; 32],
}

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Entries that hold.
    pub entries: i64,
    /// Hash of the last of them; of none, zeros.
    pub head: [u8; 32],
    /// The first that does not, and why.
    pub broken: Option<(i64, Broken)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Its number is not the next.
    Gap,
    /// It names another hash than that of the entry before.
    Chain,
    /// Its own hash is not that of what it says.
    Changed,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(diesel::pg::Pg))]
struct Row {
    number: i64,
    at: DateTime<Utc>,
    actor: String,
    actor_id: Option<Uuid>,
    actor_name: String,
    address: Option<String>,
    action: String,
    target: String,
    before: Option<String>,
    after: Option<String>,
    previous: Vec<u8>,
    hash: Vec<u8>,
}

impl Row {
    fn read(self) -> Result<Entry, DbError> {
        Ok(Entry {
            number: self.number,
            at: micros(self.at),
            actor: self.actor,
            actor_id: self.actor_id,
            actor_name: self.actor_name,
            address: self.address,
            action: self.action,
            target: self.target,
            before: self.before,
            after: self.after,
            previous: hash("a hash of the audit log", &self.previous)?,
            hash: hash("a hash of the audit log", &self.hash)?,
        })
    }
}

/// Appends an entry, in the transaction of what it tells of: both are there, or neither. Entries of an organization come one after the
/// other until that transaction ends.
pub async fn append(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    at: Micros,
    new: NewEntry,
) -> Result<Entry, DbError> {
    let write = async |conn: &mut AsyncPgConnection| {
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))")
            .bind::<sql_types::Text, _>(organization.0.to_string())
            .bind::<sql_types::BigInt, _>(LOCK)
            .execute(conn)
            .await?;
        let last: Option<(i64, Vec<u8>)> = audit_log::table
            .filter(audit_log::organization_id.eq(organization.0))
            .order(audit_log::number.desc())
            .select((audit_log::number, audit_log::hash))
            .first(conn)
            .await
            .optional()?;
        let (number, previous) = match last {
            None => (1, [0; 32]),
            Some((number, of)) => (number + 1, hash("a hash of the audit log", &of)?),
        };
        let text = |value: Option<serde_json::Value>| value.map(|v| v.to_string());
        let mut entry = Entry {
            number,
            at,
            actor: new.actor.kind.to_string(),
            actor_id: new.actor.id,
            actor_name: new.actor.name,
            address: new.actor.address,
            action: new.action,
            target: new.target,
            before: text(new.before),
            after: text(new.after),
            previous,
            hash: [0; 32],
        };
        entry.hash = digest(organization, &entry);
        diesel::insert_into(audit_log::table)
            .values((
                audit_log::organization_id.eq(organization.0),
                audit_log::number.eq(entry.number),
                audit_log::at.eq(time(entry.at)),
                audit_log::actor.eq(&entry.actor),
                audit_log::actor_id.eq(entry.actor_id),
                audit_log::actor_name.eq(&entry.actor_name),
                audit_log::address.eq(&entry.address),
                audit_log::action.eq(&entry.action),
                audit_log::target.eq(&entry.target),
                audit_log::before.eq(&entry.before),
                audit_log::after.eq(&entry.after),
                audit_log::previous.eq(entry.previous.as_slice()),
                audit_log::hash.eq(entry.hash.as_slice()),
            ))
            .execute(conn)
            .await?;
        Ok(entry)
    };
    conn.transaction(write).await
}

/// Which entries to list; what is nothing does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those of lower numbers.
    pub before: Option<i64>,
    /// How the action begins: `member` finds `member.remove`.
    pub action: Option<String>,
    /// A part of the actor's name, in upper or lower case.
    pub actor: Option<String>,
    /// A part of the target.
    pub target: Option<String>,
}

/// Newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    organization: OrganizationId,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Entry>, DbError> {
    let mut query = audit_log::table
        .filter(audit_log::organization_id.eq(organization.0))
        .filter(audit_log::number.lt(filter.before.unwrap_or(i64::MAX)))
        .order(audit_log::number.desc())
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some(action) = &filter.action {
        query = query.filter(audit_log::action.like(format!("{}%", literal(action))));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(audit_log::actor_name.ilike(format!("%{}%", literal(actor))));
    }
    if let Some(target) = &filter.target {
        query = query.filter(audit_log::target.ilike(format!("%{}%", literal(target))));
    }
    let rows: Vec<Row> = query.load(conn).await?;
    rows.into_iter().map(Row::read).collect()
}

/// Text as a pattern that matches nothing else.
fn literal(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

/// Reads the whole log and computes every hash anew; stops at the first entry that does not hold.
pub async fn verify(conn: &mut AsyncPgConnection, organization: OrganizationId) -> Result<Verified, DbError> {
    let mut verified = Verified {
        entries: 0,
        head: [0; 32],
        broken: None,
    };
    loop {
        let rows: Vec<Row> = audit_log::table
            .filter(audit_log::organization_id.eq(organization.0))
            .filter(audit_log::number.gt(verified.entries))
            .order(audit_log::number)
            .limit(PAGE)
            .select(Row::as_select())
            .load(conn)
            .await?;
        if rows.is_empty() {
            return Ok(verified);
        }
        for row in rows {
            let entry = row.read()?;
            let broken = if entry.number != verified.entries + 1 {
                Some(Broken::Gap)
            } else if entry.previous != verified.head {
                Some(Broken::Chain)
            } else if entry.hash != digest(organization, &entry) {
                Some(Broken::Changed)
            } else {
                None
            };
            if let Some(broken) = broken {
                verified.broken = Some((entry.number, broken));
                return Ok(verified);
            }
            verified.entries = entry.number;
            verified.head = entry.hash;
        }
    }
}

/// Every field with its length before it, so that no two entries are the same bytes.
fn digest(organization: OrganizationId, entry: &Entry) -> [u8; 32] {
    let mut sha = Sha256::new_with_prefix(b"dash audit 1");
    let mut field = |bytes: Option<&[u8]>| match bytes {
        None => sha.update(u64::MAX.to_le_bytes()),
        Some(bytes) => {
            sha.update((bytes.len() as u64).to_le_bytes());
            sha.update(bytes);
        }
    };
    field(Some(&entry.previous));
    field(Some(organization.0.as_bytes()));
    field(Some(&entry.number.to_le_bytes()));
    field(Some(&entry.at.0.to_le_bytes()));
    field(Some(entry.actor.as_bytes()));
    field(entry.actor_id.as_ref().map(|id| &id.as_bytes()[..]));
    field(Some(entry.actor_name.as_bytes()));
    field(entry.address.as_deref().map(str::as_bytes));
    field(Some(entry.action.as_bytes()));
    field(Some(entry.target.as_bytes()));
    field(entry.before.as_deref().map(str::as_bytes));
    field(entry.after.as_deref().map(str::as_bytes));
    sha.finalize().into()
}

impl fmt::Display for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person => "person",
            Self::Key => "key",
            Self::Operator => "operator",
            Self::System => "system",
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gap => "entries before it are missing",
            Self::Chain => "it does not follow the entry before it",
            Self::Changed => "it was changed",
        })
    }
}
