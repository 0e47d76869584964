//! Settings, by flag, environment or file; `concord doctor` lists them all with where each came from.

mod layers;
mod places;
mod provider;
mod settings;

pub use layers::{Resolved, Source};
pub use settings::{SETTINGS, Setting};

use crate::project::Project;
use concord_service::accounts::ProviderSettings;
use concord_service::intake::PseudonymKey;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file of settings is not one.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A value breaks its rule.
    #[error("setting `{name}` (from {source_of}): {why}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Where its value came from.
        source_of: Source,
        /// The rule.
        why: String,
    },
}

/// A value that is never printed.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// An OpenAI-compatible server.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its base address, e.g. `http://127.0.0.1:8000/v1`.
    pub url: String,
    /// Its bearer key.
    pub api_key: Option<Secret>,
    /// The model to ask for.
    pub model: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// What searches item vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vectors {
    /// A scan of a small catalogue, else a graph.
    Auto,
    /// A scan.
    Exact,
    /// A graph.
    Hnsw,
    /// PostgreSQL with the extension `vector`.
    PgVector,
    /// Qdrant.
    Qdrant,
}

impl FromStr for Vectors {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text {
            "auto" => Self::Auto,
            "exact" => Self::Exact,
            "hnsw" => Self::Hnsw,
            "pgvector" => Self::PgVector,
            "qdrant" => Self::Qdrant,
            _ => return Err(()),
        })
    }
}

/// Every setting, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub addr: SocketAddr,
    /// Folder of the private database and the exports.
    pub data: PathBuf,
    /// Where exports lie: a folder or `s3://BUCKET/PREFIX`.
    pub exports: String,
    /// PostgreSQL to use instead of the private one.
    pub database_url: Option<Secret>,
    /// Database connections at most.
    pub db_pool: u32,
    /// The same of each project beside the default one.
    pub project_db_pool: u32,
    /// The host name of the default project; that of the others begins with their own.
    pub base_host: String,
    /// Folder of the catalogue, prompts and rubrics.
    pub models: PathBuf,
    /// Folder of the weights.
    pub weights: PathBuf,
    /// Folder of the browser's half.
    pub site: PathBuf,
    /// Catalogue name of the model that writes samples.
    pub generator_model: String,
    /// Catalogue name of the model that judges samples.
    pub judge_model: String,
    /// Catalogue name of the model that finds items.
    pub embedder_model: String,
    /// Server that generates and judges instead.
    pub llm: Option<Remote>,
    /// Model jobs at once.
    pub workers: usize,
    /// Log filter.
    pub log: String,
    /// How log lines look.
    pub log_format: LogFormat,
    /// A proxy stands in front and says who asks.
    pub behind_proxy: bool,
    /// The OpenID Connect provider that people may sign in with.
    pub provider: Option<ProviderSettings>,
    /// Webhooks may call private and loopback addresses.
    pub webhook_private: bool,
    /// Salt of the audit and train halves; `None`: a random one with the first import.
    pub split_salt: Option<String>,
    /// Bearer token for the metrics; `None`: only this machine reads them.
    pub metrics_token: Option<Secret>,
    /// Collector of traces.
    pub otlp_endpoint: Option<String>,
    /// Time between the signal to stop and the last request taken.
    pub drain: Duration,
    /// Key of users' pseudonyms.
    pub pseudonyms: Option<PseudonymKey>,
    /// Days that behaviours are kept; `None`: for good.
    pub retain_days: Option<u32>,
    /// What searches item vectors.
    pub vectors: Vectors,
    /// Where pgvector or Qdrant is.
    pub vector_url: Option<Secret>,
    /// API key of Qdrant.
    pub vector_api_key: Option<Secret>,
    /// The same as text, each with where it came from.
    pub settings: Vec<Resolved>,
}

impl Config {
    /// Settings from the given flags (by setting name), the process environment and the file.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting or file at fault.
    pub fn load(flag: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        Self::from_layers(flag, |name| std::env::var(name).ok())
    }

    /// Where the exports of a project lie.
    #[must_use]
    pub fn exports_of(&self, project: &Project) -> String {
        if project.is_default() {
            self.exports.clone()
        } else {
            format!("{}/projects/{project}", self.exports.trim_end_matches('/'))
        }
    }

    fn from_layers(
        flag: impl Fn(&str) -> Option<String>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut settings = layers::resolve(flag, env)?;
        // The weights lie in the models folder, wherever that is, unless somebody says otherwise.
        let models = PathBuf::from(text(&settings, "models")?);
        if let Some(weights) = settings.iter_mut().find(|it| it.setting.name == "weights") {
            weights.value.get_or_insert_with(|| models.join("weights").display().to_string());
        }
        let llm = match optional(&settings, "llm_url") {
            None => None,
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => Some(Remote {
                url: url.trim_end_matches('/').to_owned(),
                api_key: optional(&settings, "llm_api_key").map(Secret),
                model: text(&settings, "llm_model")?,
            }),
            Some(_) => return Err(wrong(&settings, "llm_url", "must begin with http:// or https://")),
        };
        let log_format = match text(&settings, "log_format")?.as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err(wrong(&settings, "log_format", "must be text or json")),
        };
        let connections = |name| {
            let rule = "must be a whole number from 1";
            parsed(&settings, name, rule)
                .and_then(|n: u32| if n == 0 { Err(wrong(&settings, name, rule)) } else { Ok(n) })
        };
        let (db_pool, project_db_pool) = (connections("db_pool")?, connections("project_db_pool")?);
        let vectors = parsed(&settings, "vectors", "must be auto, exact, hnsw, pgvector or qdrant")?;
        if vectors == Vectors::Qdrant && optional(&settings, "vector_url").is_none() {
            return Err(wrong(&settings, "vector_url", "must be given for qdrant"));
        }
        let data = std::path::absolute(Path::new(&text(&settings, "data")?))
            .map_err(|error| wrong(&settings, "data", &error.to_string()))?;
        if let Some(exports) = settings.iter_mut().find(|it| it.setting.name == "exports") {
            exports.value.get_or_insert_with(|| data.join("exports").display().to_string());
        }
        let exports = text(&settings, "exports")?;
        if exports.contains("://") && !exports.starts_with("s3://") {
            return Err(wrong(&settings, "exports", "must be a folder or begin with s3://"));
        }
        Ok(Self {
            vectors,
            vector_url: optional(&settings, "vector_url").map(Secret),
            vector_api_key: optional(&settings, "vector_api_key").map(Secret),
            addr: parsed(&settings, "addr", "must be an address and a port, e.g. 127.0.0.1:3000")?,
            data,
            exports,
            database_url: optional(&settings, "database_url").map(Secret),
            db_pool,
            project_db_pool,
            base_host: text(&settings, "base_host")?.trim().trim_end_matches('.').to_lowercase(),
            models,
            weights: text(&settings, "weights")?.into(),
            site: text(&settings, "site")?.into(),
            generator_model: text(&settings, "generator_model")?,
            judge_model: text(&settings, "judge_model")?,
            embedder_model: text(&settings, "embedder_model")?,
            llm,
            workers: parsed(&settings, "workers", "must be a whole number from 0")?,
            log: text(&settings, "log")?,
            log_format,
            behind_proxy: parsed(&settings, "behind_proxy", "must be true or false")?,
            provider: provider::provider(&settings)?,
            webhook_private: parsed(&settings, "webhook_private", "must be true or false")?,
            split_salt: optional(&settings, "split_salt"),
            pseudonyms: optional(&settings, "pseudonym_key")
                .map(|key| PseudonymKey::new(&key).map_err(|why| wrong(&settings, "pseudonym_key", &why)))
                .transpose()?,
            retain_days: match optional(&settings, "retain_days") {
                None => None,
                Some(_) => Some(parsed(&settings, "retain_days", "must be a whole number of days")?),
            },
            metrics_token: optional(&settings, "metrics_token").map(Secret),
            otlp_endpoint: optional(&settings, "otlp_endpoint"),
            drain: Duration::from_secs(
                parsed::<u32>(&settings, "drain_seconds", "must be a whole number from 0")?.into(),
            ),
            settings,
        })
    }
}

fn optional(settings: &[Resolved], name: &str) -> Option<String> {
    settings.iter().find(|it| it.setting.name == name).and_then(|it| it.value.clone())
}

fn text(settings: &[Resolved], name: &'static str) -> Result<String, ConfigError> {
    optional(settings, name).ok_or_else(|| wrong(settings, name, "must be given"))
}

fn parsed<T: FromStr>(settings: &[Resolved], name: &'static str, rule: &str) -> Result<T, ConfigError> {
    text(settings, name)?.trim().parse().map_err(|_| wrong(settings, name, rule))
}

fn wrong(settings: &[Resolved], name: &'static str, why: &str) -> ConfigError {
    let found = settings.iter().find(|it| it.setting.name == name);
    let source_of = found.map_or(Source::Default, |it| it.source.clone());
    ConfigError::Value { name, source_of, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(flags: &[(&str, &str)], env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let look = |pairs: &[(&str, &str)], name: &str| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        Config::from_layers(|name| look(flags, name), |name| look(env, name))
    }

    #[test]
    fn a_flag_goes_before_the_environment_and_that_before_the_file() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("concord.toml");
        std::fs::write(&file, "addr = \"127.0.0.1:1\"\nworkers = 3\ndb_pool = 4\n").expect("written");
        let file = file.display().to_string();

        let config = load(
            &[("addr", "127.0.0.1:9"), ("config", &file)],
            &[("CONCORD_ADDR", "127.0.0.1:8"), ("CONCORD_WORKERS", "2"), ("DATABASE_URL", "")],
        )
        .expect("good settings");

        assert_eq!(config.addr.port(), 9);
        assert_eq!(config.workers, 2);
        assert_eq!(config.db_pool, 4);
        assert!(config.database_url.is_none(), "an empty variable is no value");
        let source = |name: &str| {
            config.settings.iter().find(|it| it.setting.name == name).map(|it| it.source.to_string())
        };
        assert_eq!(source("addr").as_deref(), Some("flag"));
        assert_eq!(source("workers").as_deref(), Some("environment"));
        assert_eq!(source("db_pool"), Some(file));
        assert_eq!(source("log").as_deref(), Some("default"));
    }

    #[test]
    fn a_wrong_value_names_the_setting_and_where_it_came_from() {
        let error = load(&[], &[("CONCORD_ADDR", "here")]).expect_err("no address");
        assert_eq!(
            error.to_string(),
            "setting `addr` (from environment): must be an address and a port, e.g. 127.0.0.1:3000"
        );
    }

    #[test]
    fn an_unknown_key_in_the_file_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("concord.toml");
        std::fs::write(&file, "adress = \"127.0.0.1:1\"").expect("written");
        let error = load(&[("config", &file.display().to_string())], &[]).expect_err("a typo");
        assert!(error.to_string().contains("no setting is called `adress`"), "{error}");
    }

    #[test]
    fn secrets_are_never_shown() {
        let config =
            load(&[], &[("DATABASE_URL", "postgres://a:hunter2@h/d"), ("CONCORD_LLM_API_KEY", "hunter2")])
                .expect("good settings");
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(config.settings.iter().all(|it| !it.shown().contains("hunter2")));
    }

    #[test]
    fn a_role_for_new_people_needs_the_domain_they_come_from() {
        let base = [("CONCORD_OIDC_ISSUER", "https://id.example"), ("CONCORD_OIDC_CLIENT_ID", "concord")];
        assert!(load(&[], &base).expect("good settings").provider.is_some());
        let with = |more: &[(&'static str, &'static str)]| load(&[], &[more, &base[..]].concat());
        let role = ("CONCORD_OIDC_ROLE", "annotator");
        assert!(with(&[role]).expect_err("open to all").to_string().contains("oidc_domains"));
        let domains = ("CONCORD_OIDC_DOMAINS", " @Example.org, lab.example.org ");
        let provider = with(&[role, domains]).expect("good settings").provider.expect("one");
        assert_eq!(provider.domains, ["example.org", "lab.example.org"]);
        assert!(with(&[("CONCORD_OIDC_ROLE", "admin"), domains]).is_err(), "nobody becomes administrator so");
        assert!(with(&[("CONCORD_OIDC_ISSUER", "http://id.example")]).is_err(), "only over TLS");
        assert!(with(&[("CONCORD_OIDC_CLIENT_SECRET_FILE", "/no/such/file")]).is_err());
    }

    #[test]
    fn the_weights_follow_the_models_folder() {
        let config = load(&[("models", "/opt/models")], &[]).expect("good settings");
        assert_eq!(config.weights, Path::new("/opt/models/weights"));
    }
}
