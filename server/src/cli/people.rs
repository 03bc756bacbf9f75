//! `server people ...`: for whoever runs commands on the machine of the server, and somebody who cannot get in.

use anyhow::Context;
use dash_accounts::{
    email::Email,
    token::{self, Purpose},
};
use dash_db::{
    AsyncConnection as _, DbError, RowConnection,
    store::{
        self,
        audit::{self, Actor, NewEntry},
    },
};
use secrecy::ExposeSecret;
use serde_json::json;

use super::{database, print};
use crate::{accounts::set_up::expiry, config::Config};

/// Prints a link that signs somebody in, once: where letters do not reach them.
pub async fn link(config: &Config, email: &str) -> anyhow::Result<()> {
    let email: Email = email.parse()?;
    let opened = database::open(config).await?;
    let mut connection = opened.db.diesel().await?;
    let made = make(&mut connection, &email).await;
    drop(connection);
    opened.close().await?;
    let path = format!("/link?token={}", made?);
    print(&serde_json::to_string_pretty(
        &json!({"email": email.as_str(), "link": config.accounts.link(&path), "minutes": Purpose::MagicLink.lifetime().as_secs() / 60}),
    )?)
}

async fn make(connection: &mut RowConnection, email: &Email) -> anyhow::Result<String> {
    let user = store::users::by_email(connection, &email.key()).await?;
    let user = user.with_context(|| format!("--email: nobody has an account of the address {email}"))?;
    let (secret, hash) = token::new(Purpose::MagicLink);
    let (purpose, now) = (Purpose::MagicLink, crate::clock::now());
    let write = async |conn: &mut RowConnection| {
        store::tokens::issue(conn, &hash.0, purpose.word(), Some(user.id), now, expiry(purpose, now)).await?;
        for seat in store::users::organizations(conn, user.id, now).await? {
            let entry = NewEntry {
                actor: Actor::operator(),
                action: "person.link".into(),
                target: format!("person {}", user.email),
                before: None,
                after: None,
            };
            audit::append(conn, seat.organization, now, entry).await?;
        }
        Ok::<_, DbError>(())
    };
    connection.transaction(write).await?;
    Ok(secret.expose_secret().to_owned())
}
