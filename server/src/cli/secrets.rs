//! `server secrets ...`

use dash_db::store::{
    self,
    audit::{Actor, By},
};
use serde_json::json;

use super::{database, print};
use crate::config::Config;

pub async fn rotate(config: &Config) -> anyhow::Result<()> {
    let opened = database::open(config).await?;
    let by = By {
        actor: Actor::operator(),
        at: crate::clock::now(),
    };
    let renewed = store::secrets::renew(&mut *opened.db.diesel().await?, &opened.vault, &by).await;
    opened.close().await?;
    let renewed = renewed?;
    let json = json!({"encrypted": renewed.sealed, "rotated": renewed.renewed, "unchanged": renewed.kept});
    print(&json.to_string())
}
