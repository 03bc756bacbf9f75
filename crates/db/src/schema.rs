//! The tables, as diesel sees them. `tests/it/schema.rs` compares this file with a migrated database.

diesel::table! {
    dashboards (id) {
        id -> Uuid,
        organization_id -> Uuid,
        slug -> Text,
        title -> Text,
        description -> Text,
        definition -> Jsonb,
        position -> Int4,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    idempotency_keys (pipeline_id, key) {
        pipeline_id -> Uuid,
        key -> Text,
        organization_id -> Uuid,
        body_hash -> Bytea,
        receipt -> Jsonb,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    ingest_keys (id) {
        id -> Uuid,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        hash -> Bytea,
        hint -> Text,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    lake_objects (id) {
        id -> Int8,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        key -> Text,
        first_event -> Int8,
        last_event -> Int8,
        rows -> Int8,
        bytes -> Nullable<Int8>,
        raw_bytes -> Int8,
        state -> Text,
        created_at -> Timestamptz,
        committed_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    ledger (mapping_version_id, first_event) {
        mapping_version_id -> Int8,
        first_event -> Int8,
        last_event -> Int8,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        batches -> Int4,
        events -> Int4,
        rejected -> Int4,
        mapped -> Int4,
        filtered -> Int4,
        quarantined -> Int4,
        points -> Int4,
        written_at -> Timestamptz,
    }
}

diesel::table! {
    mapping_versions (id) {
        id -> Int8,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        number -> Int4,
        mapping -> Jsonb,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    organizations (id) {
        id -> Uuid,
        slug -> Text,
        name -> Text,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    pipelines (id) {
        id -> Uuid,
        organization_id -> Uuid,
        slug -> Text,
        name -> Text,
        description -> Text,
        source -> Jsonb,
        active_version_id -> Nullable<Int8>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    quarantine (mapping_version_id, event) {
        mapping_version_id -> Int8,
        event -> Int8,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        received_at -> Timestamptz,
        raw -> Bytea,
        reasons -> Jsonb,
    }
}

diesel::table! {
    series (id) {
        id -> Int8,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        mapping_version_id -> Int8,
        metric -> Text,
        tags -> Jsonb,
        tags_hash -> Bytea,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    signing_secrets (pipeline_id) {
        pipeline_id -> Uuid,
        organization_id -> Uuid,
        secret -> Bytea,
        sealed -> Bool,
    }
}

diesel::table! {
    totals (mapping_version_id) {
        mapping_version_id -> Int8,
        organization_id -> Uuid,
        pipeline_id -> Uuid,
        batches -> Int8,
        events -> Int8,
        rejected -> Int8,
        mapped -> Int8,
        filtered -> Int8,
        quarantined -> Int8,
        points -> Int8,
        last_event_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(totals -> pipelines (pipeline_id));

diesel::allow_tables_to_appear_in_same_query!(
    dashboards,
    idempotency_keys,
    ingest_keys,
    lake_objects,
    ledger,
    mapping_versions,
    organizations,
    pipelines,
    quarantine,
    series,
    signing_secrets,
    totals,
);
