//! `/healthz` and `/readyz`

use axum::{Json, extract::State as Shared, http::StatusCode};
use serde_json::{Map, Value, json};

use crate::state::State;

/// The process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// Whether events can be taken and pages be shown: database, spool and lake, each by name.
pub async fn ready(Shared(state): Shared<State>) -> (StatusCode, Json<Value>) {
    let (database, lake) = tokio::join!(state.db.ping(), state.lake.check());
    let depth = state.spool.depth();
    let spool = match (depth.stopped, depth.disk_full) {
        (Some(why), _) => Err(why),
        (None, true) => Err("its disk is full".to_owned()),
        (None, false) => Ok(()),
    };
    let mut checks = Map::new();
    let mut all_well = true;
    for (name, result) in [
        ("database", database.map_err(|e| e.to_string())),
        ("spool", spool),
        ("lake", lake.map_err(|e| e.to_string())),
    ] {
        all_well &= result.is_ok();
        checks.insert(name.into(), result.map_or_else(Value::from, |()| json!("ok")));
    }
    // No reason to send nothing here: what an operator may look at, and remove.
    if depth.torn.files > 0 {
        let note = json!({"files": depth.torn.files, "bytes": depth.torn.bytes});
        checks.insert("spool_torn".into(), note);
    }
    let status = if all_well {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Value::Object(checks)))
}
