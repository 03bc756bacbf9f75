//! `server people ...`: for whoever runs commands on the machine of the server, and somebody who cannot get in.

use anyhow::Context;
use dash_accounts::{email::Email, token::Purpose};
use dash_db::{
    AsyncConnection as _, RowConnection,
    store::{self, audit::Actor},
};
use secrecy::SecretString;
use serde_json::json;

use super::{database, print};
use crate::{access::record::recorded, accounts::set_up::issue, config::Config, failure::Failure};

/// Prints a link that signs somebody in, once: where letters do not reach them.
pub async fn link(config: &Config, email: &str) -> anyhow::Result<()> {
    let email: Email = email.parse()?;
    let opened = database::open(config).await?;
    let mut connection = opened.db.diesel().await?;
    let made = make(&mut connection, &email).await;
    drop(connection);
    opened.close().await?;
    let link = config.accounts.link_with("/link", &made?);
    print(&serde_json::to_string_pretty(
        &json!({"email": email.as_str(), "link": link, "minutes": Purpose::MagicLink.lifetime().as_secs() / 60}),
    )?)
}

async fn make(connection: &mut RowConnection, email: &Email) -> anyhow::Result<SecretString> {
    let user = store::users::by_email(connection, &email.key()).await?;
    let user = user.with_context(|| format!("--email: nobody has an account of the address {email}"))?;
    let write = async |conn: &mut RowConnection| {
        let secret = issue(conn, Purpose::MagicLink, Some(user.id)).await?;
        for seat in store::users::organizations(conn, user.id, crate::clock::now()).await? {
            let (of, target) = ((seat.organization, Actor::operator()), format!("person {}", user.email));
            recorded(conn, of, "person.link", target, (None, None)).await?;
        }
        Ok::<_, Failure>(secret)
    };
    Ok(connection.transaction(write).await?)
}
