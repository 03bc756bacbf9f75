//! Workers are told that there is something to do; who is not told looks once a second.
//!
//! NOTIFY takes a lock of the whole database when it commits. So nobody who inserts jobs sends one: they say it here, and one task sends what was
//! said within a moment as one message, on its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use dash_db::{AsyncPgConnection, Db, DbError};
use diesel::{sql_query, sql_types::Text};
use diesel_async::RunQueryDsl;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::Job;

const CHANNEL: &str = "dash_jobs";
/// What is said within this time goes as one message.
const GATHER: Duration = Duration::from_millis(25);
/// A message has at most 8,000 bytes.
const LONGEST: usize = 7_000;
const AGAIN: Duration = Duration::from_secs(2);

/// Tells workers, here and on other nodes. Cheap to clone.
#[derive(Clone, Default)]
pub struct Waker(Arc<Inner>);

#[derive(Default)]
struct Inner {
    queues: Mutex<BTreeMap<String, Arc<Notify>>>,
    said: Mutex<BTreeSet<String>>,
    to_say: Notify,
}

impl Waker {
    /// A job of this kind was inserted, and is committed.
    pub fn wake<J: Job>(&self) {
        self.wake_queue(J::QUEUE);
    }

    /// The same for a queue by name.
    pub fn wake_queue(&self, queue: &str) {
        self.wake_here(queue);
        self.0.said.lock().insert(queue.to_owned());
        self.0.to_say.notify_one();
    }

    fn wake_here(&self, queue: &str) {
        if let Some(notify) = self.0.queues.lock().get(queue) {
            notify.notify_one();
        }
    }

    /// What a producer waits for.
    pub(crate) fn of(&self, queue: &str) -> Arc<Notify> {
        Arc::clone(self.0.queues.lock().entry(queue.to_owned()).or_default())
    }

    /// Sends what was said here and hears what is said elsewhere, on a connection of its own, for ever.
    pub(crate) async fn carry(&self, db: &Db) {
        loop {
            if let Err(error) = self.try_carry(db).await {
                tracing::debug!(%error, "wake-ups are not carried between nodes; they look by themselves");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn try_carry(&self, db: &Db) -> Result<(), DbError> {
        let mut conn = db.detached().await?;
        sql_query(format!("LISTEN {CHANNEL}")).execute(&mut conn).await?;
        loop {
            let heard = {
                let mut heard = std::pin::pin!(conn.notifications_stream());
                tokio::select! {
                    heard = heard.next() => Some(heard),
                    () = self.0.to_say.notified() => None,
                }
            };
            match heard {
                Some(Some(Ok(heard))) => heard.payload.split(' ').for_each(|queue| self.wake_here(queue)),
                Some(Some(Err(error))) => return Err(error.into()),
                Some(None) => return Ok(()),
                None => {
                    tokio::time::sleep(GATHER).await;
                    self.say(&mut conn).await?;
                }
            }
        }
    }

    async fn say(&self, conn: &mut AsyncPgConnection) -> Result<(), DbError> {
        let said = std::mem::take(&mut *self.0.said.lock());
        let mut message = String::new();
        for queue in said {
            // Names of queues have no spaces and are short; what does not fit is found by looking.
            if message.len() + queue.len() < LONGEST {
                message.push_str(&queue);
                message.push(' ');
            }
        }
        sql_query(format!("SELECT pg_notify('{CHANNEL}', $1)"))
            .bind::<Text, _>(message.trim_end())
            .execute(conn)
            .await?;
        Ok(())
    }
}
