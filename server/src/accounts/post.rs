//! Letters: written in the transaction of what they tell of, and sent by whoever finds them due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use dash_db::{
    AsyncPgConnection,
    store::mails::{self, Mail as Queued},
};
use dash_mail::{Letter, Mailer, Message};
use dash_model::Micros;
use secrecy::ExposeSecret;

use crate::{access::caller::Caller, config::Mail, failure::Failure, state::State};

/// Letters that are sent in one go.
const AT_ONCE: i64 = 20;
/// Nobody else sends a letter for so long after somebody began to, in seconds.
const LEASE: u64 = 300;
/// Seconds until the next attempt, by how many there were.
const AGAIN: [u64; 6] = [60, 300, 1_800, 7_200, 21_600, 86_400];

/// Queues a letter; where nobody sends any, nothing.
pub async fn write(
    connection: &mut AsyncPgConnection,
    state: &State,
    to: &str,
    letter: &Letter,
) -> Result<(), Failure> {
    let accounts = &state.config.accounts;
    if matches!(accounts.mail, Mail::None) {
        return Ok(());
    }
    let message = letter.write(to, accounts.base());
    let body = serde_json::to_vec(&message).map_err(|e| Failure::internal(e.to_string()))?;
    mails::queue(connection, &state.vault, to, &body, crate::clock::now()).await?;
    Ok(())
}

/// Tells somebody that something else signs them in from now on.
pub fn new_way_in(caller: &Caller, what: String) -> Letter {
    Letter::NewWayIn {
        what,
        when: when(crate::clock::now()),
        address: caller.address.map(|ip| ip.to_string()).unwrap_or_default(),
    }
}

/// A time as letters say it.
pub fn when(at: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.0).unwrap_or_default()
}

/// What a queued letter says.
pub fn read(mail: &Queued) -> Result<Message, Failure> {
    serde_json::from_slice(mail.body.expose_secret()).map_err(|e| Failure::internal(e.to_string()))
}

/// Sends what is due; answers how many letters went out.
pub async fn send_due(state: &State, mailer: &Mailer) -> Result<usize, Failure> {
    let now = crate::clock::now();
    let later = |seconds| now.plus(Duration::from_secs(seconds));
    let mut connection = state.db.diesel().await?;
    let due = {
        use dash_db::AsyncConnection as _;
        let take = async |connection: &mut dash_db::RowConnection| {
            mails::take(connection, &state.vault, now, later(LEASE), AT_ONCE).await
        };
        connection.transaction(take).await?
    };
    // A mail server may take its time: a connection to the database is not kept for that.
    drop(connection);
    let mut sent = 0;
    for mail in due {
        let message = read(&mail)?;
        let outcome = mailer.send(&message).await;
        let mut connection = state.db.diesel().await?;
        match outcome {
            Ok(()) => {
                mails::sent(&mut connection, mail.id).await?;
                sent += 1;
            }
            Err(error) => {
                let again = usize::try_from(mail.attempts - 1).ok().and_then(|n| AGAIN.get(n));
                let next = again.filter(|_| !error.is_permanent()).map(|seconds| later(*seconds));
                tracing::warn!(%error, attempts = mail.attempts, given_up = next.is_none(), "a letter was not sent");
                mails::failed(&mut connection, mail.id, &error.to_string(), next, now).await?;
            }
        }
    }
    Ok(sent)
}

/// What sends letters, where there is something.
///
/// # Errors
/// When it is configured wrong; the configuration has tried it before.
pub fn mailer(mail: &Mail) -> Result<Option<Mailer>, Failure> {
    match mail {
        Mail::Smtp { url, from } => Mailer::smtp(url, from, None)
            .map(|mailer| Some(mailer.within(Duration::from_secs(60))))
            .map_err(|e| Failure::internal(e.to_string())),
        Mail::Mailbox | Mail::None => Ok(None),
    }
}
