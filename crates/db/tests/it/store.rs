//! The store's functions, against the database that they are for.

mod accounts;
mod audit;
mod dashboards;
mod idempotency;
mod jobs;
mod keys;
mod lake_objects;
mod ledger;
mod pipelines;
mod secrets;
mod sign_in;
mod usage;

use dash_db::{AsyncPgConnection, store, test_support::TestDatabase};
use dash_model::{
    DEFAULT_ORGANIZATION, OrganizationId,
    pipeline::{Pipeline, PipelineDefinition},
};
use uuid::Uuid;

fn definition(name: &str) -> PipelineDefinition {
    let json = format!(r#"{{"name":"{name}","mapping":{{"metrics":[{{"name":"v","path":"v","scale":0.1}}]}}}}"#);
    serde_json::from_str(&json).unwrap()
}

async fn pipeline(conn: &mut AsyncPgConnection, name: &str) -> Pipeline {
    store::pipelines::create(conn, DEFAULT_ORGANIZATION, &definition(name))
        .await
        .unwrap()
}

async fn another_organization(db: &TestDatabase) -> OrganizationId {
    let id = Uuid::now_v7();
    let sql = format!("INSERT INTO organizations (id, slug, name) VALUES ('{id}', 'acme', 'Acme')");
    db.client().await.unwrap().batch_execute(&sql).await.unwrap();
    OrganizationId(id)
}
