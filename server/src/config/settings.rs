//! The table of every setting: its name, its default and what it is for.
//!
//! A setting `db_pool` is the key `db_pool` in the file, the variable `CONCORD_DB_POOL` and the flag
//! `--db-pool`. Flags, the file's known keys and `concord doctor` are all made from this table.

use super::places;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its key in the file.
    pub name: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Never shown.
    pub secret: bool,
    /// What it is when nobody says; `None` leaves it unset.
    pub default: fn() -> Option<String>,
}

/// A setting that everyone may see.
const fn open(
    name: &'static str,
    env: &'static str,
    doc: &'static str,
    default: fn() -> Option<String>,
) -> Setting {
    Setting { name, env, doc, secret: false, default }
}

/// A setting whose value `concord doctor` masks.
const fn secret(name: &'static str, env: &'static str, doc: &'static str) -> Setting {
    Setting { name, env, doc, secret: true, default: || None }
}

/// Every setting.
pub static SETTINGS: [Setting; 37] = [
    open("addr", "CONCORD_ADDR", "Address and port to listen on", || some("127.0.0.1:3000")),
    open("data", "CONCORD_DATA", "Folder of the private database and the exports", || some("concord-data")),
    open(
        "exports",
        "CONCORD_EXPORTS",
        "Where exports lie: a folder or s3://BUCKET/PREFIX, then with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT [default: exports in the data folder]",
        || None,
    ),
    secret(
        "database_url",
        "DATABASE_URL",
        "PostgreSQL to use instead of the private one: postgres://user:password@host/name",
    ),
    open("db_pool", "CONCORD_DB_POOL", "Database connections at most", || some("10")),
    open(
        "project_db_pool",
        "CONCORD_PROJECT_DB_POOL",
        "The same of each project beside the default one",
        || some("5"),
    ),
    open(
        "base_host",
        "CONCORD_BASE_HOST",
        "Host name of this server; a project beside the default one answers at NAME.HOST",
        || some("localhost"),
    ),
    open("models", "CONCORD_MODELS", "Folder of the model catalogue, prompts and rubrics", || {
        Some(places::models())
    }),
    open(
        "weights",
        "CONCORD_WEIGHTS",
        "Folder of the model weights [default: weights in the models folder]",
        || None,
    ),
    open("site", "CONCORD_SITE", "Folder of the browser's half, as `make run` builds it", || {
        Some(places::site())
    }),
    open("generator_model", "CONCORD_GENERATOR_MODEL", "Model of the catalogue that writes samples", || {
        some(places::language_model())
    }),
    open("judge_model", "CONCORD_JUDGE_MODEL", "Model of the catalogue that judges samples", || {
        some(places::language_model())
    }),
    open(
        "embedder_model",
        "CONCORD_EMBEDDER_MODEL",
        "Model of the catalogue that finds items for tags",
        || some("multilingual-e5-small"),
    ),
    open(
        "llm_url",
        "CONCORD_LLM_URL",
        "OpenAI-compatible server that generates and judges instead of the models here",
        || None,
    ),
    secret("llm_api_key", "CONCORD_LLM_API_KEY", "Bearer key of that server"),
    open("llm_model", "CONCORD_LLM_MODEL", "Model to ask that server for", || None),
    open("workers", "CONCORD_WORKERS", "Model jobs at once; 0 leaves them to `concord work`", || some("1")),
    open("log", "CONCORD_LOG", "Log level or filter: error, warn, info, debug, or info,sqlx=debug", || {
        some("info")
    }),
    open("log_format", "CONCORD_LOG_FORMAT", "Log format on stderr: text or json", || some("text")),
    open(
        "behind_proxy",
        "CONCORD_BEHIND_PROXY",
        "A proxy stands in front and appends to X-Forwarded-For who asks: true or false",
        || some("false"),
    ),
    open(
        "oidc_issuer",
        "CONCORD_OIDC_ISSUER",
        "OpenID Connect provider that people may sign in with, e.g. https://login.example.org [default: none]",
        || None,
    ),
    open("oidc_client_id", "CONCORD_OIDC_CLIENT_ID", "What that provider knows this Concord by", || None),
    secret("oidc_client_secret", "CONCORD_OIDC_CLIENT_SECRET", "Secret shown to that provider"),
    open(
        "oidc_client_secret_file",
        "CONCORD_OIDC_CLIENT_SECRET_FILE",
        "File with that secret, instead of the secret itself",
        || None,
    ),
    open(
        "oidc_domains",
        "CONCORD_OIDC_DOMAINS",
        "E-mail domains that may sign in with it, with commas between [default: all]",
        || None,
    ),
    open(
        "oidc_role",
        "CONCORD_OIDC_ROLE",
        "Role of new people from those domains: annotator or lead [default: only who has an account or an invitation]",
        || None,
    ),
    open(
        "webhook_private",
        "CONCORD_WEBHOOK_PRIVATE",
        "Let webhooks call private and loopback addresses: true or false",
        || some("false"),
    ),
    secret(
        "metrics_token",
        "CONCORD_METRICS_TOKEN",
        "Bearer token for /metrics [default: only programs on this machine may read them]",
    ),
    open(
        "otlp_endpoint",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OpenTelemetry collector that gets traces over HTTP, e.g. http://127.0.0.1:4318 [default: none]",
        || None,
    ),
    open(
        "drain_seconds",
        "CONCORD_DRAIN_SECONDS",
        "How long a server that was asked to stop says it is not ready and still answers",
        || some("0"),
    ),
    secret(
        "pseudonym_key",
        "CONCORD_PSEUDONYM_KEY",
        "Key of `import --pseudonymise`, at least 16 characters; keep it apart from the data",
    ),
    open(
        "retain_days",
        "CONCORD_RETAIN_DAYS",
        "Behaviours older than this are deleted every day [default: kept]",
        || None,
    ),
    secret(
        "split_salt",
        "CONCORD_SPLIT_SALT",
        "Salt that gives users to the audit or the train half [default: a random one with the first import]",
    ),
    open(
        "vectors",
        "CONCORD_VECTORS",
        "What searches item vectors: auto (exact up to 20,000 items, else hnsw), exact, hnsw, pgvector or qdrant",
        || some("auto"),
    ),
    secret(
        "vector_url",
        "CONCORD_VECTOR_URL",
        "Address of pgvector's PostgreSQL [default: Concord's own] or of Qdrant, e.g. http://127.0.0.1:6333",
    ),
    secret("vector_api_key", "CONCORD_VECTOR_API_KEY", "API key of Qdrant"),
    open(
        "config",
        "CONCORD_CONFIG",
        "File of settings (TOML) [default: concord.toml if it is there]",
        || None,
    ),
];

/// The setting of this name.
pub(super) fn setting(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

#[expect(clippy::unnecessary_wraps, reason = "it is the value of a default, which may be none")]
fn some(value: &str) -> Option<String> {
    Some(value.to_owned())
}
