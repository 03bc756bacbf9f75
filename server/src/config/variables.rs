//! Every variable that the server reads, once: `server config`, `.env.sample` and the errors are made of this table.

/// One environment variable.
pub struct Variable {
    pub name: &'static str,
    /// What counts when it is not set, in the form in which it would be set; empty for nothing. `{data}` is the value of DASH_DATA.
    pub default: &'static str,
    /// Masked wherever it is shown, and readable from the file that `<name>_FILE` names.
    pub secret: bool,
    /// What a value may be; errors end in it.
    pub allowed: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// Variables that belong together, under a heading.
pub struct Section {
    pub title: &'static str,
    pub variables: &'static [Variable],
}

const fn plain(name: &'static str, default: &'static str, allowed: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default,
        secret: false,
        allowed,
        meaning,
    }
}

const fn secret(name: &'static str, allowed: &'static str, meaning: &'static str) -> Variable {
    Variable {
        name,
        default: "",
        secret: true,
        allowed,
        meaning,
    }
}

const SIZE: &str = "a size such as 512KiB, 16MiB or 4GiB";
const COUNT: &str = "a whole number, 0 or more";
const AGE: &str = "a duration of at least 1 s, such as 60s, 5m, 24h or 7d";

/// In the order in which they are shown.
pub const SECTIONS: &[Section] = &[
    Section {
        title: "The server",
        variables: &[
            plain(
                "DASH_ADDR",
                "127.0.0.1:3000",
                "an address with a port, such as 127.0.0.1:3000 or 0.0.0.0:3000; one that is not on the loopback needs DASH_URL",
                "Where it listens; port 0 takes any free one.",
            ),
            plain(
                "DASH_DATA",
                ".dash",
                "a directory",
                "What it keeps on this machine: spool, embedded database, local lake.",
            ),
            plain(
                "DASH_SITE",
                "target/site",
                "a directory",
                "The built pages: scripts, styles, images.",
            ),
            plain(
                "DASH_DEMO",
                "1",
                "1 or 0",
                "Whether the first start makes the demo pipelines and dashboards.",
            ),
            plain(
                "DASH_NODE",
                "0",
                "a whole number from 0 to 255, unique among all nodes that share a database",
                "The number of this node; it is part of every event's sequence and must never change.",
            ),
            plain(
                "DASH_LOG",
                "info",
                "levels (error, warn, info, debug, trace), also per module: info,dash_spool=debug",
                "What is logged.",
            ),
        ],
    },
    Section {
        title: "People: how they reach this server and get in",
        variables: &[
            plain(
                "DASH_URL",
                "",
                "https://host or http://host, with a port where it needs one, without a path",
                "How people reach it; links in letters begin so. With https cookies are for https alone. Where it listens when not set.",
            ),
            plain(
                "DASH_SIGN_UP",
                "invited",
                "invited or open",
                "Who may make an account: those who are invited, or everybody.",
            ),
            secret(
                "DASH_SMTP_URL",
                "smtps://user:password@host:465 or smtp://user:password@host:587",
                "The mail server for invitations and links. When it is not set, a private server on the loopback shows letters on a page.",
            ),
            plain(
                "DASH_MAIL_FROM",
                "",
                "an address such as Dash <dash@example.org>",
                "Whom letters come from; needed with DASH_SMTP_URL.",
            ),
            secret(
                "DASH_OIDC",
                r#"a JSON array such as [{"slug":"google","name":"Google","issuer":"https://accounts.google.com","client_id":"..","client_secret":".."}]"#,
                "OpenID Connect providers whose accounts sign people in.",
            ),
            plain(
                "DASH_TRUSTED_PROXIES",
                "",
                "addresses or networks with commas between, such as 10.0.0.0/8",
                "Proxies whose X-Forwarded-For is believed; else the address of the connection counts.",
            ),
            plain(
                "DASH_EGRESS_ALLOW",
                "",
                "networks, addresses or hosts with commas between, such as 10.1.0.0/16 or broker.internal:9092",
                "Private addresses that this server may connect to for users; all others of that kind are refused.",
            ),
            plain(
                "DASH_RATE_INGEST",
                "",
                "a whole number from 1 to 1000000",
                "Requests a second that one pipeline may get; beyond it senders get 429. As many as come when not set.",
            ),
            plain(
                "DASH_RATE_API",
                "100",
                "a whole number from 1 to 1000000",
                "Requests a second that one key may make for reading; beyond it 429.",
            ),
        ],
    },
    Section {
        title: "What each organization may have; as much as there is room for when not set",
        variables: &[
            plain("DASH_MAX_PIPELINES", "", COUNT, "Pipelines."),
            plain("DASH_MAX_EVENTS", "", COUNT, "Events in a calendar month (UTC)."),
            plain("DASH_MAX_LAKE", "", SIZE, "Objects in the lake, all together."),
            plain(
                "DASH_MAX_MEMBERS",
                "",
                COUNT,
                "Members, those who are invited included.",
            ),
        ],
    },
    Section {
        title: "The database",
        variables: &[
            secret(
                "DATABASE_URL",
                "postgres://user:password@host:port/database",
                "PostgreSQL 15 or newer, with TimescaleDB or without. When it is not set, a private one runs in DASH_DATA.",
            ),
            plain(
                "DASH_POSTGRES_BIN",
                "",
                "a directory that holds postgres and initdb",
                "The programs for the private PostgreSQL; looked for when not set.",
            ),
            plain(
                "DASH_DB_ROWS",
                "10",
                "a whole number from 1 to 1000",
                "Most connections for rows: pages, keys, manifests.",
            ),
            plain(
                "DASH_DB_METRICS",
                "10",
                "a whole number from 1 to 1000",
                "Most connections for writing and querying metrics.",
            ),
        ],
    },
    Section {
        title: "Secrets in the database",
        variables: &[
            secret(
                "DASH_SECRET_KEY",
                "64 hexadecimal digits, or the base64 of 32 bytes, as openssl rand -hex 32 makes them",
                "What secrets are encrypted with before they are stored. Needed with DATABASE_URL; else secret.key in DASH_DATA is made and used.",
            ),
            secret(
                "DASH_SECRET_KEYS_OLD",
                "keys like DASH_SECRET_KEY, with commas between",
                "Earlier keys, needed until `server secrets rotate` has encrypted everything with the newest.",
            ),
        ],
    },
    Section {
        title: "The lake",
        variables: &[
            plain(
                "DASH_LAKE",
                "{data}/lake",
                "a directory or s3://bucket/prefix",
                "Where every raw event is kept for good, as Parquet.",
            ),
            secret("AWS_ACCESS_KEY_ID", "the id of an access key", "Needed for a bucket."),
            secret(
                "AWS_SECRET_ACCESS_KEY",
                "the secret of that access key",
                "Needed for a bucket.",
            ),
            secret(
                "AWS_SESSION_TOKEN",
                "the token of temporary keys",
                "Needed for temporary keys only.",
            ),
            plain(
                "AWS_REGION",
                "",
                "a region such as eu-central-1, or auto for R2",
                "Needed for a bucket at Amazon; elsewhere auto for R2 and us-east-1 for others when not set.",
            ),
            plain(
                "AWS_ENDPOINT_URL",
                "",
                "https://host, or http:// on the loopback",
                "The address of a bucket that is not at Amazon.",
            ),
            plain(
                "AWS_ENDPOINT_URL_S3",
                "",
                "https://host, or http:// on the loopback",
                "The same for S3 alone; it goes before AWS_ENDPOINT_URL.",
            ),
            plain(
                "DASH_LAKE_OBJECT",
                "16MiB",
                SIZE,
                "Raw events of a pipeline are written as one object at this size ...",
            ),
            plain(
                "DASH_LAKE_AGE",
                "60s",
                AGE,
                "... or at this age, whichever comes first.",
            ),
            plain(
                "DASH_LAKE_BUFFER",
                "256MiB",
                SIZE,
                "What all pipelines together hold in memory before they are written.",
            ),
            plain(
                "DASH_LAKE_TIMEOUT",
                "60s",
                AGE,
                "How long one request to a bucket may take.",
            ),
        ],
    },
    Section {
        title: "The spool: where events are safe before they are acknowledged",
        variables: &[
            plain(
                "DASH_SPOOL",
                "{data}/spool",
                "a directory on a local disk",
                "Its segments; nothing else may write there.",
            ),
            plain(
                "DASH_SPOOL_MAX",
                "4GiB",
                "a size, at least 8MiB more than DASH_INGEST_MAX_INFLATED",
                "All segments together; beyond it events get 503.",
            ),
            plain(
                "DASH_SPOOL_MIN_FREE",
                "256MiB",
                SIZE,
                "What stays free on that disk; below it events get 503.",
            ),
            plain(
                "DASH_SPOOL_SEGMENT",
                "64MiB",
                "a size from 1MiB to 4GiB",
                "A segment is closed at this size ...",
            ),
            plain(
                "DASH_SPOOL_AGE",
                "60s",
                AGE,
                "... or at this age, so that its space can be used again.",
            ),
            plain(
                "DASH_SPOOL_QUEUE",
                "128MiB",
                "a size, at least 8MiB more than DASH_INGEST_MAX_INFLATED",
                "What may wait for the disk; beyond it events get 429.",
            ),
        ],
    },
    Section {
        title: "What may be posted",
        variables: &[
            plain(
                "DASH_INGEST_MAX_BODY",
                "16MiB",
                "a size from 1KiB to 512MiB",
                "A body as it comes over the wire.",
            ),
            plain(
                "DASH_INGEST_MAX_INFLATED",
                "32MiB",
                "a size from 1KiB to 512MiB, not less than DASH_INGEST_MAX_BODY",
                "A body after gzip or zstd, or as JSON.",
            ),
            plain(
                "DASH_INGEST_MAX_RECORD",
                "1MiB",
                "a size from 1KiB to 512MiB",
                "One record; a larger one is rejected alone.",
            ),
            plain(
                "DASH_INGEST_MAX_DEPTH",
                "32",
                "a whole number from 1 to 128",
                "Objects and arrays within each other in one record.",
            ),
            plain(
                "DASH_INGEST_MAX_FIELDS",
                "1000",
                "a whole number from 1 to 1000000",
                "Keys of one record, nested ones included.",
            ),
            plain(
                "DASH_INGEST_MAX_RECORDS",
                "100000",
                "a whole number from 1 to 10000000",
                "Records of one body.",
            ),
            plain(
                "DASH_INGEST_BODY_TIMEOUT",
                "60s",
                AGE,
                "How long a body may take to come.",
            ),
            plain(
                "DASH_INGEST_MEMORY",
                "256MiB",
                "a size, not less than DASH_INGEST_MAX_BODY and DASH_INGEST_MAX_INFLATED together",
                "All bodies that are decoded at one time; beyond it senders get 429.",
            ),
            plain(
                "DASH_IDEMPOTENCY_AGE",
                "24h",
                AGE,
                "How long an Idempotency-Key is remembered.",
            ),
        ],
    },
];

/// All variables, in order.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    SECTIONS.iter().flat_map(|section| section.variables)
}

pub fn find(name: &str) -> Option<&'static Variable> {
    all().find(|variable| variable.name == name)
}
