//! The tables, as diesel sees them. `tests/it/schema.rs` compares this file with a migrated database.

diesel::table! {
    api_keys (id) {
        id -> Uuid,
        organization_id -> Uuid,
        team_id -> Nullable<Uuid>,
        user_id -> Nullable<Uuid>,
        name -> Text,
        public -> Text,
        hash -> Bytea,
        scope -> Text,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
        last_used_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    audit_log (organization_id, number) {
        organization_id -> Uuid,
        number -> Int8,
        at -> Timestamptz,
        actor -> Text,
        actor_id -> Nullable<Uuid>,
        actor_name -> Text,
        address -> Nullable<Text>,
        action -> Text,
        target -> Text,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        previous -> Bytea,
        hash -> Bytea,
    }
}

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
        team_id -> Nullable<Uuid>,
        public -> Bool,
    }
}

diesel::table! {
    identities (issuer, subject) {
        issuer -> Text,
        subject -> Text,
        user_id -> Uuid,
        email -> Nullable<Text>,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
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
    invitations (id) {
        id -> Uuid,
        organization_id -> Uuid,
        email -> Text,
        email_key -> Text,
        role -> Text,
        invited_by -> Nullable<Uuid>,
        hash -> Bytea,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        accepted_at -> Nullable<Timestamptz>,
        revoked_at -> Nullable<Timestamptz>,
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
    mails (id) {
        id -> Uuid,
        recipient -> Text,
        body -> Bytea,
        created_at -> Timestamptz,
        next_attempt_at -> Timestamptz,
        attempts -> Int4,
        sent_at -> Nullable<Timestamptz>,
        error -> Nullable<Text>,
        given_up_at -> Nullable<Timestamptz>,
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
    memberships (organization_id, user_id) {
        organization_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
        joined_at -> Timestamptz,
    }
}

diesel::table! {
    one_time_tokens (hash) {
        hash -> Bytea,
        purpose -> Text,
        user_id -> Nullable<Uuid>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    organizations (id) {
        id -> Uuid,
        slug -> Text,
        name -> Text,
        created_at -> Timestamptz,
        delete_at -> Nullable<Timestamptz>,
        max_pipelines -> Nullable<Int8>,
        max_events_a_month -> Nullable<Int8>,
        max_lake_bytes -> Nullable<Int8>,
        max_members -> Nullable<Int8>,
    }
}

diesel::table! {
    passkeys (credential_id) {
        credential_id -> Bytea,
        id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        stored -> Jsonb,
        created_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
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
        team_id -> Nullable<Uuid>,
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
    recovery_codes (user_id, hash) {
        user_id -> Uuid,
        hash -> Bytea,
        used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    second_factors (user_id) {
        user_id -> Uuid,
        secret -> Bytea,
        confirmed_at -> Nullable<Timestamptz>,
        last_step -> Nullable<Int8>,
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
    sessions (hash) {
        hash -> Bytea,
        id -> Uuid,
        user_id -> Nullable<Uuid>,
        data -> Jsonb,
        created_at -> Timestamptz,
        seen_at -> Timestamptz,
        expires_at -> Timestamptz,
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
    team_members (team_id, user_id) {
        organization_id -> Uuid,
        team_id -> Uuid,
        user_id -> Uuid,
        role -> Text,
    }
}

diesel::table! {
    teams (id) {
        id -> Uuid,
        organization_id -> Uuid,
        slug -> Text,
        name -> Text,
        created_at -> Timestamptz,
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

diesel::table! {
    users (id) {
        id -> Uuid,
        email -> Text,
        email_key -> Text,
        name -> Text,
        password_hash -> Nullable<Text>,
        email_confirmed_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
    }
}

diesel::joinable!(memberships -> users (user_id));
diesel::joinable!(memberships -> organizations (organization_id));
diesel::joinable!(invitations -> organizations (organization_id));
diesel::joinable!(totals -> pipelines (pipeline_id));

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    audit_log,
    dashboards,
    idempotency_keys,
    identities,
    ingest_keys,
    invitations,
    lake_objects,
    ledger,
    mails,
    mapping_versions,
    memberships,
    one_time_tokens,
    organizations,
    passkeys,
    pipelines,
    quarantine,
    recovery_codes,
    second_factors,
    series,
    sessions,
    signing_secrets,
    team_members,
    teams,
    totals,
    users,
);
