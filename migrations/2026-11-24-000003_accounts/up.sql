-- People. They belong to organizations by memberships, so these rows have no organization of their own.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    -- As it was written.
    email text NOT NULL,
    -- By which it is found: in lower case.
    email_key text NOT NULL UNIQUE,
    name text NOT NULL,
    -- A PHC string; nothing for who signs in otherwise.
    password_hash text,
    email_confirmed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE memberships (
    organization_id uuid NOT NULL REFERENCES organizations,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- dash_model::account::OrganizationRole
    role text NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX ON memberships (user_id);

CREATE TABLE teams (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    slug text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (organization_id, slug),
    -- For those who refer to a team of their own organization.
    UNIQUE (organization_id, id)
);

CREATE TABLE team_members (
    organization_id uuid NOT NULL REFERENCES organizations,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    -- dash_model::account::TeamRole
    role text NOT NULL CHECK (role IN ('viewer', 'editor')),
    PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id) ON DELETE CASCADE,
    -- Who leaves the organization leaves its teams.
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships ON DELETE CASCADE
);
CREATE INDEX ON team_members (organization_id, team_id);
CREATE INDEX ON team_members (organization_id, user_id);

CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    email text NOT NULL,
    email_key text NOT NULL,
    role text NOT NULL CHECK (role IN ('member', 'admin', 'owner')),
    -- Nothing once they are gone.
    invited_by uuid REFERENCES users ON DELETE SET NULL,
    -- SHA-256 of the token and its purpose.
    hash bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX ON invitations (invited_by);
-- One open invitation for each address; a new one takes its place.
CREATE UNIQUE INDEX ON invitations (organization_id, email_key) WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- Links that work once.
CREATE TABLE one_time_tokens (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    -- dash_accounts::token::Purpose
    purpose text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);
CREATE INDEX ON one_time_tokens (user_id, purpose);
CREATE INDEX ON one_time_tokens (expires_at);

-- Keys of programs.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations,
    -- Nothing: for all teams.
    team_id uuid,
    -- Whose personal key it is; nothing for a service's. It goes with the membership.
    user_id uuid,
    name text NOT NULL,
    -- By which it is found and named.
    public text NOT NULL UNIQUE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    -- dash_model::account::Scope
    scope text NOT NULL CHECK (scope IN ('ingest', 'read', 'write', 'admin')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id) ON DELETE CASCADE,
    FOREIGN KEY (organization_id, user_id) REFERENCES memberships ON DELETE CASCADE
);
CREATE INDEX ON api_keys (organization_id, team_id);
CREATE INDEX ON api_keys (organization_id, user_id);

-- Who did what. Each row's hash covers it and the hash of the row before (crates/db/src/store/audit.rs).
CREATE TABLE audit_log (
    organization_id uuid NOT NULL REFERENCES organizations,
    number bigint NOT NULL CHECK (number > 0),
    at timestamptz NOT NULL,
    -- person, key, operator or system
    actor text NOT NULL,
    -- No reference: they may be gone.
    actor_id uuid,
    actor_name text NOT NULL,
    -- Where the request came from.
    address text,
    action text NOT NULL,
    target text NOT NULL,
    -- JSON as text, since the hash is of its bytes; secrets are masked.
    before text,
    after text,
    previous bytea NOT NULL CHECK (octet_length(previous) = 32),
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (organization_id, number)
);
CREATE FUNCTION audit_log_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log only grows';
END $$;
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_only_grows();
