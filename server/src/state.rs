//! Everything that requests and stages share. Cheap to clone.

use std::sync::Arc;

use dash_db::Db;
use dash_lake::{Store, WriterStatus};
use dash_metrics::Silver;
use dash_spool::Spool;
use dash_vault::Vault;
use tokio::sync::watch;

use crate::{
    access::{Access, keys::Keys, rates::Rates},
    accounts::{Accounts, Quotas},
    activity::Activity,
    catalog::Catalog,
    config::Config,
    figures::Figures,
    ingest::Ingest,
    live::{Hub, Watch},
};

#[derive(Clone)]
pub struct State {
    pub config: Arc<Config>,
    pub db: Db,
    pub catalog: Catalog,
    pub ingest: Ingest,
    pub spool: Spool,
    pub silver: Silver,
    pub lake: Store,
    pub lake_status: watch::Receiver<WriterStatus>,
    pub activity: Activity,
    pub figures: Figures,
    pub hub: Hub,
    pub vault: Arc<Vault>,
    pub access: Access,
    pub keys: Keys,
    pub rates: Rates,
    pub accounts: Accounts,
    pub quotas: Quotas,
    /// Which sessions have open websockets.
    pub watch: Watch,
}
