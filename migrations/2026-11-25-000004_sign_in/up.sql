-- Who is signed in where. What tower-sessions keeps, under the hash of the id that the browser has.
CREATE TABLE sessions (
    hash bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    -- By which people tell their devices apart; never what the browser has.
    id uuid NOT NULL UNIQUE,
    -- Nothing until somebody has signed in.
    user_id uuid REFERENCES users ON DELETE CASCADE,
    data jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX ON sessions (user_id);
CREATE INDEX ON sessions (expires_at);

-- Codes that change with time (RFC 6238).
CREATE TABLE second_factors (
    user_id uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    -- Sealed.
    secret bytea NOT NULL,
    -- Nothing until a code of it was typed once.
    confirmed_at timestamptz,
    -- The step of the last code that counted; neither it nor an earlier one counts again.
    last_step bigint
);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    used_at timestamptz,
    PRIMARY KEY (user_id, hash)
);

-- Accounts elsewhere (OpenID Connect) that sign somebody in here.
CREATE TABLE identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    -- As it was called when it was linked.
    email text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX ON identities (user_id);

CREATE TABLE passkeys (
    credential_id bytea PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    -- dash_passkey::Stored: a public key and a counter, no secret.
    stored jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz
);
CREATE INDEX ON passkeys (user_id);

-- Letters on their way, in the transaction of what they tell of.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    -- In clear, since whoever waits for a letter asks for it by this.
    recipient text NOT NULL,
    -- dash_mail::Message, sealed: it holds links that sign somebody in.
    body bytea NOT NULL,
    created_at timestamptz NOT NULL,
    next_attempt_at timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    sent_at timestamptz,
    -- Why the last attempt failed; nothing of the letter.
    error text,
    -- No further attempt is made.
    given_up_at timestamptz
);
CREATE INDEX ON mails (next_attempt_at) WHERE sent_at IS NULL AND given_up_at IS NULL;
CREATE INDEX ON mails (created_at);

-- The link that makes the first owner is nobody's yet.
ALTER TABLE one_time_tokens ALTER user_id DROP NOT NULL;

ALTER TABLE organizations
    -- Everything of it is deleted then, unless somebody changes their mind.
    ADD delete_at timestamptz,
    -- Nothing: the limits of this server.
    ADD max_pipelines bigint CHECK (max_pipelines >= 0),
    ADD max_events_a_month bigint CHECK (max_events_a_month >= 0),
    ADD max_lake_bytes bigint CHECK (max_lake_bytes >= 0),
    ADD max_members bigint CHECK (max_members >= 0);

-- Nothing: the whole organization's. A team that has something is not deleted.
ALTER TABLE pipelines ADD team_id uuid, ADD FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id);
CREATE INDEX ON pipelines (organization_id, team_id);
ALTER TABLE dashboards
    ADD team_id uuid,
    -- Shared with everybody, for reading.
    ADD public boolean NOT NULL DEFAULT false,
    ADD FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id);
CREATE INDEX ON dashboards (organization_id, team_id);

-- What the manifest holds of an organization, and since when: quotas ask often.
CREATE INDEX ON lake_objects (organization_id, created_at) INCLUDE (rows, bytes);
